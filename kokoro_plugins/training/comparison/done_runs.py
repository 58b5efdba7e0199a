"""The runs of a comparison that are done, so that the same command goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kokoro_plugins.training.comparison.table import Run


class DoneRuns:
    """Runs in a file, a line each, found again by what decided them.

    Args:
        path: Of the file; it need not be there.

    Raises:
        ValueError: A line of the file does not hold a run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs = [
            _read(line, f"`{path}`, line {number}")
            for number, line in enumerate(self._whole().splitlines(), start=1)
        ]

    def find(self, identity: dict[str, Any]) -> Run | None:
        """Return the run that was done with the same settings, or None."""
        wanted = json.loads(json.dumps(identity))
        return next((run for found, run in self._runs if found == wanted), None)

    def add(self, identity: dict[str, Any], run: Run) -> None:
        """Note a run that is done."""
        line = json.dumps({"identity": identity, "run": run.as_dict()}) + "\n"
        with self._path.open("ab") as file:
            # What was broken off would make one line with what comes next.
            file.truncate(len(self._whole()))
            file.write(line.encode())

    def _whole(self) -> bytes:
        """Return the lines that have their end; one without it was broken off."""
        content = self._path.read_bytes() if self._path.exists() else b""
        return content[: content.rfind(b"\n") + 1]


def _read(line: bytes, place: str) -> tuple[dict[str, Any], Run]:
    try:
        entry = json.loads(line.decode())
        return entry["identity"], Run.from_dict(entry["run"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ValueError(
            f"{place}, is not a run that `compare` has written: {line[:40]!r}; delete the line, or "
            f"give another `--out`."
        ) from None
