"""What is wrong with a folder: each kind with a few examples and a count."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = 10
"""Problems of one kind that are listed; the rest are counted."""


@dataclass(frozen=True)
class LineProblem:
    """A line of a file that cannot be used.

    Attributes:
        file: Its name.
        number: Of the line, from 1.
        name: The utterance that it is about, as it is written.
        message: What is wrong, as the end of a sentence that begins with the name.
    """

    file: str
    number: int
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: `{self.name}` {self.message}"


@dataclass(frozen=True)
class UtteranceProblem:
    """What is wrong with one utterance.

    Attributes:
        kind: In a few words, the same for all utterances that have it.
        message: The end of a sentence that begins with the utterance's name.
    """

    kind: str
    message: str


class Problems:
    """Collects the problems of a folder, by kind in the order in which kinds turned up."""

    def __init__(self) -> None:
        self._of_kind: dict[str, list[str]] = {}

    def add(self, kind: str, message: str) -> None:
        """Note one problem."""
        self._of_kind.setdefault(kind, []).append(message)

    @property
    def of_kind(self) -> Mapping[str, Sequence[str]]:
        """The messages of each kind."""
        return self._of_kind

    def __len__(self) -> int:
        return sum(map(len, self._of_kind.values()))

    def __str__(self) -> str:
        lines: list[str] = []
        for kind, messages in self._of_kind.items():
            lines += messages[:EXAMPLES]
            if len(messages) > EXAMPLES:
                lines.append(f"… and {len(messages) - EXAMPLES:,} more: {kind}.")
        return "".join(f"\n- {each}" for each in lines)


class NearMatches:
    """Finds names that differ from another in what is easily overlooked.

    That is the case of letters, blanks around them, the ending, and composed against decomposed
    accents.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {_plain(each): each for each in names}

    def find(self, name: str) -> str | None:
        """Return a name that looks like this one, or None."""
        return self._names.get(_plain(name))


def recordings_in(folder: Path) -> NearMatches:
    """Return what lies in a folder, to be found by an utterance's name."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        names = []
    return NearMatches(names)


def _plain(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if not dot or ending.lower() not in ("wav", "wave", "flac", "mp3", "ogg", "opus"):
        stem = name
    return "".join(unicodedata.normalize("NFKC", stem).casefold().split())
