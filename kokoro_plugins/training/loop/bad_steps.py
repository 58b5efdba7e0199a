"""Steps that came to NaN or infinity: which tensor was the first, and what is done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from kokoro_plugins.training.data.training_data import Batch
from kokoro_plugins.training.loop.figures import StepFigures

WEIGHT_ADVICE = "a lower `--lr` or a longer `--warmup` usually helps"


class BadStep(ValueError):
    """A step came to NaN or infinity; the message names the first tensor that did."""


def first_bad_tensor(
    model: nn.Module, batches: Sequence[tuple[Batch, dict[str, Tensor]]]
) -> str | None:
    """Return in words the first tensor of a step that has a NaN or an infinity, or None.

    First is what the others follow from: what comes in, then the weights, then the terms of the
    loss, then the gradients, from the output back to the input as they were computed.
    """
    return next(_bad_tensors(model, batches), None)


def of_any_process(found: Sequence[str | None]) -> str | None:
    """Return the first bad tensor of several processes, and in which of them it is.

    Sums over all of them hide where a gradient was bad first, so that every process has bad ones;
    an input or a term of the loss is bad in its own alone.

    Args:
        found: The first bad tensor of each.
    """
    if len(found) == 1:
        return found[0]
    own = [(process, each) for process, each in enumerate(found) if each is not None]
    own.sort(key=lambda each: each[1].startswith("gradient"))
    return next((f"{each} of process {process}" for process, each in own), None)


def bad_weight(model: nn.Module) -> str | None:
    """Return the name of the first parameter or buffer with a NaN or an infinity, or None."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return next((f"weight `{name}`" for name, each in named if not _fine(each)), None)


def describe(step: int, figures: StepFigures, first: str | None) -> str:
    """Return in words what was wrong with a step.

    Args:
        step: From 1.
        figures: Of the step.
        first: The first bad tensor, if there is a single one.
    """
    loss = figures.losses["loss"]
    what = f"norm of the gradient is {figures.gradient_norm}"
    if not math.isfinite(loss):
        what = f"loss is {loss}"
    where = f"the first bad tensor is the {first}" if first else "no single tensor is bad here"
    return f"The {what} at step {step}; {where}"


def policy(skipped: int, in_a_row: int) -> str:
    """Return what follows from a bad step that is one too many, and what would help.

    Args:
        skipped: As many in a row may be passed over.
        in_a_row: As many there were.
    """
    if skipped:
        return f"it is bad step {in_a_row} in a row, so training ends; {WEIGHT_ADVICE}."
    return (
        f"training ends, and {WEIGHT_ADVICE}, or `train` with `--on-bad-step skip:3` to "
        f"pass over a few such steps."
    )


def _bad_tensors(
    model: nn.Module, batches: Sequence[tuple[Batch, dict[str, Tensor]]]
) -> Iterator[str]:
    for batch, _ in batches:
        if not _fine(batch.mel_specs):
            rows = (~batch.mel_specs.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
            yield f"input `mel_specs` in row {rows[0]} of {len(batch)}"
    if weight := bad_weight(model):
        yield weight
    for _, losses in batches:
        terms = [name for name in losses if name != "loss"]
        yield from (f"loss term `{name}`" for name in [*terms, "loss"] if not _fine(losses[name]))
    for name, parameter in reversed(list(model.named_parameters())):
        if parameter.grad is not None and not _fine(parameter.grad):
            yield f"gradient of `{name}`"


def _fine(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
