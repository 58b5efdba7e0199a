"""Where what is logged goes: TensorBoard, a CSV file with folders beside it, or any logger."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

from torch import Tensor

from kokoro_core.speech import write_wav
from kokoro_plugins.training.settings import LoggerName

if TYPE_CHECKING:
    from lightning.fabric.loggers.logger import Logger
    from matplotlib.figure import Figure

METRICS = "metrics.csv"
"""What Lightning's logger calls its file."""

HELD_OUT = "held_out/"
"""What names of figures of a validation begin with."""


class Sink(Protocol):
    """Takes what is logged; a step is a whole number from 1."""

    def figures(self, values: Mapping[str, float], step: int) -> None:
        """Take the figures of a step."""

    def sound(self, name: str, samples: Tensor, sample_rate: int, step: int) -> None:
        """Take a sound, (samples,) from -1 to 1."""

    def picture(self, name: str, picture: Figure, step: int) -> None:
        """Take a picture."""

    def close(self) -> None:
        """Write what is not written yet."""


@final
class AnyLogger:
    """Hands figures to a logger of Lightning, and leaves out sounds and pictures.

    Args:
        logger: Any, such as those for services.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def figures(self, values: Mapping[str, float], step: int) -> None:
        """Hand them on."""
        self._logger.log_metrics(dict(values), step)

    def sound(self, name: str, samples: Tensor, sample_rate: int, step: int) -> None:
        """Leave it out: each logger of Lightning takes sounds in its own way, or none."""

    def picture(self, name: str, picture: Figure, step: int) -> None:
        """Leave it out, likewise."""

    def close(self) -> None:
        """Hand the end on."""
        self._logger.finalize("success")


@final
class TensorBoard:
    """Writes event files for TensorBoard.

    Args:
        folder: Of the event files.
        done: Steps that the training goes on from; what the folder has of later ones is hidden.
    """

    def __init__(self, folder: Path, done: int) -> None:
        from lightning.fabric.loggers.tensorboard import TensorBoardLogger

        self._logger = TensorBoardLogger(
            folder.parent, name="", version=folder.name, purge_step=done + 1, flush_secs=10
        )

    def figures(self, values: Mapping[str, float], step: int) -> None:
        """Write them as scalars."""
        self._logger.log_metrics(values, step)

    def sound(self, name: str, samples: Tensor, sample_rate: int, step: int) -> None:
        """Write it as audio."""
        self._logger.experiment.add_audio(name, samples[None], step, sample_rate)

    def picture(self, name: str, picture: Figure, step: int) -> None:
        """Write it as an image."""
        self._logger.experiment.add_figure(name, picture, step)

    def close(self) -> None:
        """Write what is not written yet."""
        self._logger.finalize("success")


@final
class CsvFile:
    """Writes figures to a CSV file, and sounds and pictures to folders beside it.

    Args:
        folder: Of the file.
        done: Steps that the training goes on from; rows of later ones are dropped, and the
            validation of that step, which comes again.
    """

    def __init__(self, folder: Path, done: int) -> None:
        from lightning.fabric.loggers.csv_logs import CSVLogger

        self._folder = folder
        kept = _rows_up_to(folder / METRICS, done)
        self._logger = CSVLogger(
            folder.parent, name="", version=folder.name, flush_logs_every_n_steps=1
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # its rows are kept
            experiment = self._logger.experiment
        experiment.metrics += kept
        experiment.save()

    def figures(self, values: Mapping[str, float], step: int) -> None:
        """Write a row; a new figure makes a new column."""
        self._logger.log_metrics(dict(values), step)

    def sound(self, name: str, samples: Tensor, sample_rate: int, step: int) -> None:
        """Write it to the folder of the step."""
        write_wav(self._path(name, step, ".wav"), samples, sample_rate)

    def picture(self, name: str, picture: Figure, step: int) -> None:
        """Write it to the folder of the step."""
        picture.savefig(self._path(name, step, ".png"), dpi=80)

    def close(self) -> None:
        """Write what is not written yet."""
        self._logger.finalize("success")

    def _path(self, name: str, step: int, suffix: str) -> Path:
        folder = self._folder / f"step-{step:09d}"
        folder.mkdir(exist_ok=True)
        plain = re.sub(r"[^\w.-]+", "-", name)
        return folder / f"{plain}{suffix}"


def _rows_up_to(file: Path, done: int) -> list[dict[str, Any]]:
    """Return the rows of steps up to one, of that one without its validation."""
    if not done or not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        rows = [
            {name: each for name, each in row.items() if each} for row in csv.DictReader(opened)
        ]
    last = [row for row in rows if int(row["step"]) == done]
    again = [{n: each for n, each in row.items() if not n.startswith(HELD_OUT)} for row in last]
    before = [row for row in rows if int(row["step"]) < done]
    return before + [row for row in again if row.keys() != {"step"}]


_BY_NAME: dict[LoggerName, type[TensorBoard] | type[CsvFile]] = {
    "tensorboard": TensorBoard,
    "csv": CsvFile,
}


def refuse_missing(names: Collection[str]) -> None:
    """Refuse a logger whose package is not installed.

    Raises:
        ValueError: It is not.
    """
    if "tensorboard" in names and find_spec("tensorboard") is None:
        raise ValueError(
            "`--logger tensorboard` needs the package `tensorboard`, which is not installed; `pip "
            "install 'kokoro-core[tensorboard]'` installs it, and `--logger csv` needs nothing."
        )


def make_sinks(names: Collection[LoggerName], folder: Path, done: int) -> list[Sink]:
    """Return what writes to a folder in each of its folders, which have the loggers' names.

    Args:
        names: Of loggers.
        folder: For all of them; it is made.
        done: Steps that the training goes on from.
    """
    return [_BY_NAME[name](folder / name, done) for name in names]
