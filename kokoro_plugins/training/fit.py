"""`fit`: train a model on a corpus with Lightning's `Trainer`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from lightning import Callback, Trainer
from rich.console import Console

from kokoro_core.api import KokoroModel
from kokoro_plugins.training.data_module import AlignedSpeech
from kokoro_plugins.training.history import History
from kokoro_plugins.training.module import TrainingModule
from kokoro_plugins.training.progress_bar import ProgressLine
from kokoro_plugins.training.schedule import Budget
from kokoro_plugins.training.settings import Precision, TrainingSettings

GRADIENT_CLIP = 1.0


def fit(
    model: KokoroModel,
    data: AlignedSpeech,
    budget: Budget,
    settings: TrainingSettings,
    *,
    console: Console | None = None,
) -> History:
    """Train a model in place and leave it on the CPU in evaluation mode.

    Args:
        model: Its parameters are changed.
        data: What it is trained on.
        budget: When to end.
        settings: How to train.
        console: Where a progress line is shown; None: nowhere.
    """
    model.train()
    history = History()
    callbacks: list[Callback] = [history]
    if console is not None:
        callbacks.append(ProgressLine(budget=budget, history=history, console=console))
    module = TrainingModule(
        model=model, budget=budget, lr=settings.lr, warmup_steps=settings.warmup_steps
    )
    trainer = make_trainer(settings, callbacks, validate=len(data.held_out) > 0)
    with _without_warnings_of_lightning():
        trainer.fit(module, datamodule=data)
    model.to("cpu").eval()
    return history


def make_trainer(
    settings: TrainingSettings, callbacks: list[Callback], *, validate: bool
) -> Trainer:
    """Return a trainer that runs until the module stops it and writes no file."""
    quieten()
    return Trainer(
        accelerator=settings.device,
        devices=1,
        precision="bf16-mixed" if use_bf16(settings.precision, settings.device) else "32-true",
        max_epochs=-1,
        gradient_clip_val=GRADIENT_CLIP,
        val_check_interval=settings.validate_every,
        check_val_every_n_epoch=None,
        limit_val_batches=None if validate else 0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _without_warnings_of_lightning() -> Iterator[None]:
    """Hide the one warning that Lightning 2.6 causes in torch 2.13 and that no user can mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        yield


def quieten() -> None:
    """Keep Lightning from printing what is no warning."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def seed_everything(seed: int) -> None:
    """Seed what the weights' start and training draw from."""
    lightning.seed_everything(seed, verbose=False)


def use_bf16(precision: Precision, device: str) -> bool:
    """Return whether to compute in bfloat16.

    On a CPU without instructions for it bfloat16 is emulated and slower than float32.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available() and device in ("auto", "cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    on_cpu = device == "cpu" or (device == "auto" and not torch.backends.mps.is_available())
    return on_cpu and cpu_has_bf16()


def cpu_has_bf16() -> bool:
    """Return whether the CPU has instructions for bfloat16, as far as torch tells."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(capabilities.get(name)) for name in ("amx_bf16", "avx512_bf16", "sve_bf16"))
