"""TextGrids of the Montreal Forced Aligner: words and phones with their times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SILENCES = frozenset({"", "sil", "sp", "<eps>"})
"""Labels of intervals in which nobody speaks."""


@dataclass(frozen=True)
class Interval:
    """A stretch of a recording.

    Attributes:
        start: In seconds.
        end: In seconds.
        label: A word or a phone.
    """

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class AlignedWord:
    """A word and its phones.

    Attributes:
        text: As it is written.
        bounds: Where its phones begin, in seconds, and where the last one ends.
    """

    text: str
    bounds: tuple[float, ...]


def textgrids_in(folder: Path) -> dict[str, Path]:
    """Return the TextGrids below a folder by ``ID``, and by ``FOLDER/ID`` where IDs come twice."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() == ".textgrid":
            found[f"{path.parent.name}/{path.stem}"] = path
            found[path.stem] = path
    return found


def read_words(path: Path) -> list[AlignedWord]:
    """Return the words of a TextGrid in order, silences left out.

    Raises:
        ValueError: It cannot be read, or lacks the tiers `words` and `phones`.
    """
    from praatio import textgrid

    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    except Exception as error:  # whatever is wrong with a file that others wrote
        raise ValueError(f"{path.name} cannot be read as a TextGrid: {error}") from error
    words, phones = (_spoken(grid, path, name) for name in ("words", "phones"))
    return [_with_phones(word, phones) for word in words]


def _spoken(grid: object, path: Path, name: str) -> list[Interval]:
    """Return the intervals of a tier in which somebody speaks; MFA may name the speaker before."""
    names: Sequence[str] = grid.tierNames  # type: ignore[attr-defined]
    found = [each for each in names if each == name or each.endswith(f" - {name}")]
    if len(found) != 1:
        listed = ", ".join(map(repr, names)) or "none"
        raise ValueError(f"{path.name} must have one tier `{name}`, and has {listed}")
    entries: Iterable[tuple[float, float, str]] = grid.getTier(found[0]).entries  # type: ignore[attr-defined]
    intervals = [Interval(*each) for each in entries]
    return [each for each in intervals if each.label.strip().lower() not in SILENCES]


def _with_phones(word: Interval, phones: Sequence[Interval]) -> AlignedWord:
    inside = [each for each in phones if word.start <= (each.start + each.end) / 2 < word.end]
    if not inside:
        return AlignedWord(word.label.strip(), (word.start, word.end))
    return AlignedWord(word.label.strip(), (*(each.start for each in inside), inside[-1].end))
