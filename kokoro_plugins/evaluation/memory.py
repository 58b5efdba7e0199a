"""`Memory`: what was heard before, so that the same sound need not be listened to again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import final

from kokoro_plugins.evaluation.rendition import Rendition

Answer = str | float


@final
class Memory:
    """Answers by what was asked of which sound; in a file, if one is given.

    The file has a line of JSON for each answer and is only ever added to. What one listener said is
    never taken for what another would say.

    Args:
        file: To read and to add to; None: nothing is kept.

    Raises:
        ValueError: The file is of another kind.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._answers: dict[str, Answer] = {}
        if file is not None and file.exists():
            self._answers = _read(file)
        self._is_whole = False

    def get(self, listener: str, rendition: Rendition) -> Answer | None:
        """Return what a listener said of a sound; None: it was not asked."""
        return self._answers.get(_key(listener, rendition))

    def keep(self, listener: str, rendition: Rendition, answer: Answer) -> None:
        """Note what a listener said of a sound."""
        key = _key(listener, rendition)
        self._answers[key] = answer
        if self._file is not None:
            if not self._is_whole:
                _cut_to_whole_lines(self._file)
                self._is_whole = True
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, answer]) + "\n")


def _key(listener: str, rendition: Rendition) -> str:
    asked = f"{listener}\n{rendition.sample_rate}\n".encode()
    return hashlib.sha256(asked + rendition.samples.tobytes()).hexdigest()


def _cut_to_whole_lines(path: Path) -> None:
    """Take off a last line that was not written whole, or the next answer would end it."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)


def _read(path: Path) -> dict[str, Answer]:
    """Return the answers of a file; a last line that was not written whole is left out."""
    text = path.read_text(encoding="utf-8")
    whole, newline, rest = text.rpartition("\n")
    lines = f"{whole}{newline}".splitlines()
    try:
        if not '["'.startswith(rest[:2]):
            raise ValueError(rest)
        return {str(key): answer for key, answer in map(json.loads, lines)}
    except (ValueError, TypeError):
        raise ValueError(
            f"`{path}` must be a file that `--remember` made before, or none; give another name."
        ) from None
