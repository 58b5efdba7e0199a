"""Parameters that are no part of a model's loss, found without computing anything."""

from __future__ import annotations

import torch

from kokoro_core import ModelSpec, assemble
from kokoro_core.cost.estimate import Workload
from kokoro_core.model.losses import training_losses, weigh

SMALL = Workload(rows=2, phonemes=10, frames=60)


def idle_parameters(spec: ModelSpec) -> list[str] | None:
    """Return the names of parameters that get no gradient, as with a loss that weighs nothing.

    Processes that train together wait for the gradients of all others.

    Args:
        spec: Of the model.

    Returns:
        None: the model reads values, and has none here.
    """
    try:
        model = assemble(spec, device="meta").train()
        batch = SMALL.batch(spec, "meta")
        loss = weigh(training_losses(model(batch), batch, spec.loss), spec.loss)
        torch.autograd.backward(loss)
    except (LookupError, NotImplementedError, RuntimeError, ValueError):
        return None
    return [name for name, each in model.named_parameters() if each.grad is None]
