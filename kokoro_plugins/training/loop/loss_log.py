"""`LossLog`: the losses as they come, a line of JSON each, for who watches and for a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO, final

from lightning import Callback, LightningModule, Trainer

from kokoro_core.model import TrainingBatch
from kokoro_plugins.training.loop.history import History


@final
class LossLog(Callback):
    """Writes a line for each step, validation and passed-over step when the step ends.

    The file appears at the end of the first step, so that a start which fails leaves none. A
    training that goes on writes it anew from the history of the step that it goes on from: what a
    killed process had written after its last save is not part of the training any more.

    Args:
        path: Of the file; its folder exists.
        history: Has the losses; it and the validation must come before this callback.
    """

    def __init__(self, path: Path, history: History) -> None:
        self._path = path
        self._history = history
        self._file: TextIO | None = None
        self._written = {"training": 0, "validation": 0, "skipped": 0}

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: TrainingBatch,
        batch_idx: int,
    ) -> None:
        """Write what has been noted since."""
        if trainer.is_global_zero:
            self._write()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the file."""
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the file."""
        self._close()

    def _write(self) -> None:
        lines = self._new_lines()
        if not lines:
            return
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8")
        self._file.write("".join(lines))
        self._file.flush()

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

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
