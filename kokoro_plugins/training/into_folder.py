"""What every training into a folder has alike: its corpus, its observers, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from kokoro_core.durable import StepFolder
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS, CorpusParams
from kokoro_plugins.training.loop.folder_files import OutdatedModel, RecipeFile
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.sentences import as_sentences
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.processes.group import is_first_process, wait_for_all
from kokoro_plugins.training.processes.one_voice import one_voice
from kokoro_plugins.training.resume.resuming import TrainingStopped
from kokoro_plugins.training.resume.starting import LOGS
from kokoro_plugins.training.resume.traces import leaving_nothing
from kokoro_plugins.training.settings import LoggerName, Saving
from kokoro_plugins.training.watching.samples import Samples
from kokoro_plugins.training.watching.sinks import make_sinks
from kokoro_plugins.training.watching.training_log import TrainingLog
from registry import Plugins


def corpus_called(
    kind: str, data: Path | None, settings: Mapping[str, Any], plugins: Plugins
) -> CorpusParams:
    """Return a corpus of a kind, at a path if it has one."""
    path = {} if data is None else {"path": str(data)}
    return params_from(plugins.components.get(CORPUS, kind), {**settings, **path})


def goes_on(saving: Saving) -> bool:
    """Return whether a step is there that the training goes on from."""
    return saving.resume and bool(StepFolder(saving.folder).steps())


def keeping(
    made: Path,
    recipe: Mapping[str, Any] | None,
    command: str,
    log: list[TrainingLog],
) -> list[Observer]:
    """Return what keeps a training's folder up to date.

    Args:
        made: The file that the training ends with; one of a former end is removed.
        recipe: What is written beside it; None: nothing.
        command: What a recipe is for.
        log: What it is logged by.
    """
    written = [] if recipe is None else [RecipeFile(made.parent, recipe, command)]
    return [*written, OutdatedModel(made), *log]


def log_into(
    out: Path, loggers: tuple[LoggerName, ...], samples: Samples, history: History
) -> list[TrainingLog]:
    """Return what logs losses, and what is seen and heard at validations, if that is asked for."""
    sinks = partial(make_sinks, loggers, out / LOGS)
    return [TrainingLog(samples, history, sinks)] if loggers else []


@contextmanager
def written_at_the_end(out: Path, write: Callable[[], None]) -> Iterator[None]:
    """Write what is trained inside, also if a signal stops it; a start that fails leaves nothing.

    Raises:
        TrainingStopped: A signal came.
        ProcessLost: Another process of the training ended before it was written.
    """
    kept = leaving_nothing(out) if is_first_process() else nullcontext()
    with kept, as_sentences():
        try:
            yield
        except TrainingStopped:
            _write(write)
            raise
        _write(write)


def _write(write: Callable[[], None]) -> None:
    """Write in one of several processes; the others wait, since a launcher ends all with one."""
    with one_voice(lambda: "the last step is saved"):
        if is_first_process():
            write()
        wait_for_all()


def write_losses(out: Path, history: History, say: Callable[[str], None]) -> None:
    """Write the losses of a training, and say which steps were passed over."""
    write_json(out / "losses.json", history.as_dict())
    for skipped in history.skipped:
        say(f"passed over: {skipped}")
