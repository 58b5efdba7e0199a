"""`fit`: train a model on a corpus with Lightning's `Trainer`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import lightning
import torch
from lightning import Callback, Trainer
from lightning.pytorch.strategies import DDPStrategy
from rich.console import Console

from kokoro_core import KokoroModel
from kokoro_core.kernels import cpu
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.length_trial import check_lengths
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.progress_bar import ProgressLine
from kokoro_plugins.training.loop.progress_lines import ProgressLines
from kokoro_plugins.training.loop.random_states import RandomStates
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.validation import Validation
from kokoro_plugins.training.resume.resuming import fit_and_save, is_first_process
from kokoro_plugins.training.settings import Precision, Saving, TrainingSettings
from kokoro_plugins.training.signals import StopSignals

GRADIENT_CLIP = 1.0


def fit(
    model: KokoroModel,
    data: AlignedSpeech,
    budget: Budget,
    settings: TrainingSettings,
    *,
    saving: Saving | None = None,
    console: Console | None = None,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train a model in place and leave it on the CPU in evaluation mode.

    Args:
        model: Its parameters are changed.
        data: What it is trained on.
        budget: When to end.
        settings: How to train.
        saving: Where steps are saved, and gone on from; signals that ask to stop are then heeded.
            None: nothing is saved.
        console: Where a progress line is shown, or where no terminal is now and then a line is
            printed; None: nowhere.
        callbacks: Of Lightning, called after our own.

    Raises:
        ValueError: There are averaged weights, which are not saved.
        CorpusError: Utterances are too long for the model; the message names them.
        BadStep: The loss or a gradient is no number; the message names the first tensor.
        CheckpointError: A step could not be saved, or not gone on from.
        TrainingStopped: A signal came; the last step is saved.
    """
    check_lengths(model, data)
    if saving is not None and settings.average:
        raise ValueError(
            f"`average` must be 0 where steps are saved, not {settings.average}: no step holds the "
            f"average, so training could not go on with it; leave `average` or `saving` out."
        )
    model.train()
    data.endless(accumulate=settings.accumulate)
    history, signals = History(), StopSignals()
    with ExitStack() as stack:
        stack.enter_context(_without_warnings_of_lightning())
        module = make_module(model, budget, settings, signals)
        attached = make_callbacks(data, settings, history, signals)
        if console is not None:
            shown = ProgressLine if console.is_terminal else ProgressLines
            attached.append(shown(budget=budget, history=history, console=console))
            warn_of_slow_precision(settings, console)
        trainer = make_trainer(settings, [*attached, *callbacks])
        if saving is None:
            trainer.fit(module, datamodule=data)
        else:
            stack.enter_context(signals)
            fit_and_save(trainer, module, data, budget, settings, saving, history, signals, console)
    model.to("cpu").eval()
    return history


def make_module(
    model: KokoroModel, budget: Budget, settings: TrainingSettings, signals: StopSignals
) -> TrainingModule:
    """Return a model as Lightning trains it."""
    return TrainingModule(
        model=model,
        budget=budget,
        lr=settings.lr,
        warmup_steps=settings.warmup_steps,
        optimizer=settings.optimizer,
        average=settings.average,
        skip_bad_steps=settings.skip_bad_steps,
        stop_asked=lambda: signals.received is not None,
    )


def make_callbacks(
    data: AlignedSpeech, settings: TrainingSettings, history: History, signals: StopSignals
) -> list[Callback]:
    """Return what accompanies a training, in the order in which it looks at a step."""
    validation = Validation(
        data=data, every=settings.validate_every, history=history, signals=signals
    )
    of_held_out: list[Callback] = [validation] if data.held_out else []
    return [RandomStates(seed=data.seed), history, *of_held_out]


def make_trainer(settings: TrainingSettings, callbacks: list[Callback]) -> Trainer:
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
        callbacks=callbacks,
        use_distributed_sampler=False,
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
    return trains_on_cpu(device) and cpu.processor().bfloat16_instructions


def warn_of_slow_precision(settings: TrainingSettings, console: Console) -> None:
    """Say it if a precision was asked for that costs time here instead of saving it."""
    on_cpu = settings.precision == "bf16" and trains_on_cpu(settings.device)
    if on_cpu and not cpu.processor().bfloat16_instructions and is_first_process():
        console.print(
            "warning: this processor has no instructions for bfloat16; a step with `--precision "
            "bf16` may take ten times as long as one with `--precision 32`",
            soft_wrap=True,
            markup=False,
        )


def trains_on_cpu(device: str) -> bool:
    """Return whether training on a device, by its name, is training on a CPU."""
    others = torch.cuda.is_available() or torch.backends.mps.is_available()
    return device == "cpu" or (device == "auto" and not others)
