"""What moves the weights: AdamW, Muon, and others of the package pytorch-optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from kokoro_plugins.training.loop.muon import Muon
from kokoro_plugins.training.settings import TrainingSettings

BETAS = (0.9, 0.98)
"""Of AdamW and of what stands in its place (Vaswani et al., 2017)."""


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    """Return an optimizer over all parameters of a model.

    Raises:
        ValueError: The package that has it is not installed.
    """
    parameters, name, lr = list(model.parameters()), settings.optimizer, settings.lr
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, betas=BETAS, fused=True)
    if name == "muon":
        return Muon(model, lr=lr, betas=BETAS)
    package = _package(name)
    if name == "soap":
        made: Optimizer = package.SOAP(parameters, lr=lr)
    else:
        made = package.ScheduleFreeAdamW(
            parameters, lr=lr, betas=BETAS, warmup_steps=settings.warmup_steps
        )
    return made


def _package(name: str) -> Any:
    try:
        import pytorch_optimizer
    except ImportError:
        raise ValueError(
            f"The optimizer `{name}` is one of the package pytorch-optimizer, which is not "
            f"installed; `pip install 'kokoro-core[optimizers]'` brings it, and `adamw` needs none."
        ) from None
    return pytorch_optimizer
