"""`fit`: train a model on a corpus with Lightning's `Trainer`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lightning
from rich.console import Console

from kokoro_core import KokoroModel
from kokoro_core.kernels import cpu
from kokoro_core.kernels.allocator import keep_freed_memory
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.length_trial import check_lengths
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.parts import frozen, refuse_unknown_parts
from kokoro_plugins.training.loop.progress_bar import ProgressLine
from kokoro_plugins.training.loop.progress_lines import ProgressLines
from kokoro_plugins.training.loop.random_states import RandomStates
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.task import SpeechTask, Task
from kokoro_plugins.training.loop.trainer import make_trainer, trains_on_cpu
from kokoro_plugins.training.loop.validation import Validation
from kokoro_plugins.training.processes.group import is_first_process, take_place
from kokoro_plugins.training.resume.resuming import TrainingStopped, fit_and_save
from kokoro_plugins.training.settings import Saving, TrainingSettings


def fit(
    model: KokoroModel,
    data: AlignedSpeech,
    budget: Budget,
    settings: TrainingSettings,
    *,
    saving: Saving | None = None,
    console: Console | None = None,
    observers: Sequence[Observer] = (),
    history: History | None = None,
) -> History:
    """Train a model in place and leave it on the CPU in evaluation mode, also if it is stopped.

    Args:
        model: Its parameters are changed.
        data: What it is trained on.
        budget: When to end.
        settings: How to train.
        saving: Where steps are saved, and gone on from; signals that ask to stop are then heeded.
            None: nothing is saved.
        console: Where a progress line is shown, or where no terminal is now and then a line is
            printed; None: nowhere.
        observers: Follow the training after those that every training has.
        history: What losses are noted in, for observers that read them; None: a new one.

    Raises:
        ValueError: A part that is to be frozen, or to have a rate of its own, is none.
        CorpusError: Utterances are too long for the model; the message names them.
        BadStep: The loss or a gradient is NaN or infinite; the message names the first tensor.
        CheckpointError: A step could not be saved, or not gone on from.
        TrainingStopped: A signal came; the last step is saved.
    """
    check_lengths(model, data)
    return fit_task(
        SpeechTask(model),
        data,
        budget,
        settings,
        saving=saving,
        console=console,
        observers=observers,
        history=history,
    )


def fit_task(
    task: Task,
    data: TrainingData,
    budget: Budget,
    settings: TrainingSettings,
    *,
    saving: Saving | None = None,
    console: Console | None = None,
    observers: Sequence[Observer] = (),
    history: History | None = None,
) -> History:
    """Train what a task says in place and leave it on the CPU in evaluation mode.

    Args:
        task: What is trained, by which losses.
        data: What it is trained on.
        budget: As of `fit`.
        settings: As of `fit`.
        saving: As of `fit`.
        console: As of `fit`.
        observers: As of `fit`.
        history: As of `fit`.

    Raises:
        ValueError: As of `fit`.
        BadStep: As of `fit`.
        CheckpointError: As of `fit`.
        TrainingStopped: As of `fit`.
    """
    take_place(settings)
    if trains_on_cpu(settings.device):
        keep_freed_memory()
    task.model.train()
    data.endless(accumulate=settings.accumulate)
    history = history or History()
    refuse_unknown_parts(settings, [name for name, _ in task.trained.named_parameters()])
    attached = make_observers(data, settings, history)
    if console is not None:
        shown = ProgressLine if console.is_terminal else ProgressLines
        attached.append(shown(history=history, console=console))
        warn_of_slow_precision(settings, console)
    attached += observers
    with _without_warnings_of_lightning(), frozen(task.trained, settings.freeze):
        module = TrainingModule(model=task, budget=budget, settings=settings)
        if saving is None:
            make_trainer(settings, attached, task).fit(module, datamodule=data)
        else:
            try:
                fit_and_save(module, data, saving, attached, history, console)
            except TrainingStopped:
                task.model.to("cpu").eval()
                raise
    task.model.to("cpu").eval()
    return history


def make_observers(
    data: TrainingData, settings: TrainingSettings, history: History
) -> list[Observer]:
    """Return what follows every training, in the order in which it looks at a step."""
    observers: list[Observer] = [RandomStates(seed=data.seed), history]
    if data.held_out:
        observers.append(Validation(data=data, every=settings.validate_every, history=history))
    return observers


@contextmanager
def _without_warnings_of_lightning() -> Iterator[None]:
    """Hide two that no user can mend: of Lightning in torch 2.13, and of a vocoder in eval mode."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
        yield


def seed_everything(seed: int) -> None:
    """Seed what the weights' start and training draw from."""
    lightning.seed_everything(seed, verbose=False)


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
