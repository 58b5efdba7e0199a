"""A training that is saved, goes on from what was saved, and stops when it is asked to."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.console import Console
from torch import nn

from kokoro_core.durable import Step, StepFolder
from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.loss_log import LossLog
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.task import Task
from kokoro_plugins.training.loop.trainer import make_trainer
from kokoro_plugins.training.processes.agreement import Agreement
from kokoro_plugins.training.processes.group import gathered, is_first_process
from kokoro_plugins.training.processes.one_voice import one_voice
from kokoro_plugins.training.resume.conditions import conditions, leaves
from kokoro_plugins.training.resume.save_trial import check_saving
from kokoro_plugins.training.resume.saver import Saver
from kokoro_plugins.training.resume.step_files import StepFiles
from kokoro_plugins.training.resume.traces import leaving_nothing
from kokoro_plugins.training.settings import Saving
from kokoro_plugins.training.signals import StopSignals


class TrainingStopped(Exception):
    """A training was asked to stop and has saved its last step; the message says which.

    Attributes:
        status: The exit status of a process that a signal ended.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def fit_and_save(
    module: TrainingModule,
    data: TrainingData,
    saving: Saving,
    observers: Sequence[Observer],
    history: History,
    console: Console | None,
) -> None:
    """Train from the newest saved step on, or from the start, and save.

    Raises:
        CheckpointError: A step could not be saved, or not gone on from.
        TrainingStopped: A signal came; the last step is saved.
    """
    say = speaker(console)
    folder = StepFolder(saving.folder, keep_last=saving.keep_last, keep_best=saving.keep_best)
    files = StepFiles(
        folder=folder,
        task=module.task,
        data=data,
        allow_inexact=saving.allow_inexact,
        say=say,
        objective=module.objective,
    )
    saver = Saver(files=files, every=saving.every, data=data, history=history)
    log = [] if saving.losses is None else [LossLog(saving.losses, history)]
    agreement = Agreement(say)
    callbacks = [*observers, *log, saver, agreement]
    trainer = make_trainer(module.settings, callbacks, module.task, files)
    files.conditions = conditions(module, data, trainer)
    with module.signals, one_writer(folder, module.task, module.objective):
        newest = folder.newest(say) if saving.resume else None
        agreement.machine, agreement.facts = to_agree_on(files.conditions, newest)
        if saving.resume:
            files.say_when_loaded = describe_start(saving, newest, module.budget)
            if newest is None:
                say(files.say_when_loaded)
        with one_voice(partial(newest_in_words, folder)):
            trainer.fit(module, datamodule=data, ckpt_path=newest.path if newest else None)
            status = max(gathered(module.signals.status))
        if saver.stopped or status:
            raise stopped(module.signals, saver, status)


def to_agree_on(
    found: Mapping[str, Any], newest: Step | None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return of all conditions those of the machine, and the others with the step gone on from."""
    machine = {name: each for name, each in leaves(found) if name.startswith("machine.")}
    others = {name: each for name, each in leaves(found) if name not in machine}
    return machine, others if newest is None else {**others, "goes on from": newest.path.name}


@contextmanager
def one_writer(
    folder: StepFolder, task: Task, objective: nn.Module | None = None
) -> Iterator[None]:
    """Be the folder's one writer if this is the process that writes, and see that it can.

    Raises:
        CheckpointError: Another process writes to the folder, or the model cannot be saved.
    """
    if not is_first_process():
        yield
        return
    with leaving_nothing(folder.root), folder.hold():
        check_saving(task, folder.root, objective)
        yield


def speaker(console: Console | None) -> Callable[[str], None]:
    """Return what prints a sentence, in one process of all that train together."""
    if console is None or not is_first_process():
        return lambda sentence: None
    return lambda sentence: console.print(sentence, soft_wrap=True, markup=False)


def describe_start(saving: Saving, newest: Step | None, budget: Budget) -> str:
    """Return in words where a training goes on from."""
    if newest is None:
        return f"Nothing is saved in `{saving.folder}` yet: training starts from the beginning."
    going_on = f"Training goes on from `{newest.path}`"
    if budget.by_the_clock:
        return (
            f"{going_on}, with what is left of the {budget}. Its learning rate follows the clock, "
            f"so no two such trainings are the same to the bit."
        )
    return f"{going_on}."


def stopped(signals: StopSignals, saver: Saver, status: int) -> TrainingStopped:
    """Return the error that says what was saved when a signal came.

    Args:
        signals: To this process.
        saver: Knows what was saved.
        status: That of all processes.
    """
    name = signals.received.name if signals.received else "A signal to another of its processes"
    return TrainingStopped(
        f"{name} ended the training: {in_words(saver)}; the same command with `--resume` goes on.",
        status or 128 + signal.SIGTERM,
    )


def newest_in_words(folder: StepFolder) -> str:
    """Return what is saved, also by a save that no process could agree on any more."""
    steps = folder.steps()
    return f"step {steps[-1].number} is saved" if steps else "no step is saved yet"


def in_words(saver: Saver) -> str:
    """Return what was saved."""
    return "nothing was to be saved" if saver.saved is None else f"step {saver.saved} is saved"
