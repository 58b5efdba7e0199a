"""`LossLog`: the losses as they come, a line of JSON each, for who watches and for a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO, final

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer


@final
class LossLog(Observer):
    """Writes a line for each step, validation and passed-over step when the step ends.

    The file appears at the end of the first step, so that a start which fails leaves none. A
    training that goes on writes it anew from the history of the step that it goes on from: what a
    killed process had written after its last save is not part of the training any more.

    Args:
        path: Of the file; its folder exists.
        history: Has the losses; it and the validation must come before this observer.
    """

    def __init__(self, path: Path, history: History) -> None:
        self._path = path
        self._history = history
        self._file: TextIO | None = None
        self._written = {"training": 0, "validation": 0, "skipped": 0}

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Write what has been noted since."""
        lines = self._new_lines()
        if not lines or not module.trainer.is_global_zero:
            return
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8")
        self._file.write("".join(lines))
        self._file.flush()

    def on_end(self, module: TrainingModule) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _new_lines(self) -> list[str]:
        lines = []
        for kind, written in self._written.items():
            entries = getattr(self._history, kind)
            self._written[kind] = len(entries)
            for each in entries[written:]:
                values = {"why": each} if isinstance(each, str) else vars(each)
                line = json.dumps({"kind": kind, **values}, ensure_ascii=False, allow_nan=False)
                lines.append(f"{line}\n")
        return lines
