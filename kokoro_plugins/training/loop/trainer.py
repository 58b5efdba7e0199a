"""The `Trainer` of Lightning, set up so that our own loop of steps decides when it ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from lightning import Trainer
from lightning.fabric.plugins.io import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy

from kokoro_core.kernels import cpu
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.settings import Precision, TrainingSettings

GRADIENT_CLIP = 1.0


def make_trainer(
    settings: TrainingSettings, observers: Sequence[Observer], files: CheckpointIO | None = None
) -> Trainer:
    """Return a trainer that runs until the module stops it and writes no file of its own."""
    quieten()
    return Trainer(
        accelerator=settings.device,
        devices=settings.devices,
        strategy=DDPStrategy() if settings.devices > 1 else "auto",
        precision="bf16-mixed" if use_bf16(settings.precision, settings.device) else "32-true",
        max_epochs=-1,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=GRADIENT_CLIP,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        callbacks=list(observers),
        plugins=None if files is None else [files],
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def quieten() -> None:
    """Silence everything that Lightning logs below a warning."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def use_bf16(precision: Precision, device: str) -> bool:
    """Return whether to compute in bfloat16.

    On a CPU without instructions for it bfloat16 is emulated and slower than float32.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available() and device in ("auto", "cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return trains_on_cpu(device) and cpu.processor().bfloat16_instructions


def trains_on_cpu(device: str) -> bool:
    """Return whether training on a device, by its name, is training on a CPU."""
    others = torch.cuda.is_available() or torch.backends.mps.is_available()
    return device == "cpu" or (device == "auto" and not others)
