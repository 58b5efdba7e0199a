"""From espeak-ng's events to the symbols of the vocabulary and where each begins."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kokoro_core.outer_contracts import FrontendError
from kokoro_plugins.speech.espeak_library import SpeechEvent
from kokoro_plugins.speech.vocabulary import PAUSES, STRESSES, split_phoneme

_STRONGEST_FIRST = "?!."
_OPEN_MARKS = ",;:-–—"
_ENDINGS = re.compile(r"\W*$")


@dataclass(frozen=True)
class Segment:
    """A phoneme as espeak-ng speaks it, or a pause: its symbols and its first sample."""

    symbols: tuple[str, ...]
    start: int


def segments(events: Sequence[SpeechEvent], text: str) -> list[Segment]:
    """Return the phonemes and pauses of a text in order.

    A pause comes as two or more empty events in a row and becomes one symbol, the punctuation mark
    that caused it. A single empty event is the glide between two vowels and stays with the first.

    Raises:
        FrontendError: A phoneme has no symbol; the error names all such.
    """
    unknown = {e.phoneme for e in events if split_phoneme(e.phoneme) is None}
    if unknown:
        raise FrontendError(
            f"espeak-ng speaks {', '.join(map(repr, sorted(unknown)))} in {text!r}, for which the "
            f"vocabulary has no symbol; write the word that it comes from in another way."
        )
    return list(_segments(events, text))


def _segments(events: Iterable[SpeechEvent], text: str) -> Iterator[Segment]:
    clause_start = 0
    for silent, run in itertools.groupby(events, key=lambda event: not event.phoneme):
        group = list(run)
        if not silent:
            for each in group:
                yield Segment(tuple(split_phoneme(each.phoneme) or ()), each.sample)
            continue
        ends = [each.text_position for each in group if each.kind == "clause_end"]
        if len(group) - len(ends) >= 2:
            mark = _pause_mark(text, clause_start, ends[-1]) if ends else ","
            yield Segment((mark,), group[0].sample)
        clause_start = ends[-1] if ends else clause_start


def _pause_mark(text: str, start: int, end: int) -> str:
    """Return the pause symbol for the punctuation at the end of a clause."""
    found = _ENDINGS.search(text[start:end].rstrip())
    marks = found.group() if found else ""
    for mark in _STRONGEST_FIRST:
        if mark in marks or (mark == "." and "…" in marks):
            return mark
    goes_on = bool(text[end:].strip()) or any(mark in marks for mark in _OPEN_MARKS)
    return "," if goes_on else "."


def symbols_of(parts: Iterable[Segment]) -> list[str]:
    """Return the symbols of all segments in order."""
    return [symbol for part in parts for symbol in part.symbols]


def has_sound(symbols: Iterable[str]) -> bool:
    """Return whether there is anything but pauses."""
    return any(symbol not in PAUSES for symbol in symbols)


def frames_of(
    parts: Sequence[Segment], num_samples: int, hop_length: int, num_frames: int
) -> list[int]:
    """Return the frames of each symbol; they sum to `num_frames`.

    The boundary before a symbol is its sample / hop_length, rounded; what comes before the first
    belongs to the first. The sounds of one segment share it evenly, and a stress mark takes the
    first frame of its vowel if the vowel has two. A symbol may have no frame.
    """
    starts = _symbol_starts(parts, num_samples)
    starts[0] = 0
    bounds = [min(int(start / hop_length + 0.5), num_frames) for start in starts]
    bounds.append(num_frames)
    frames = [after - before for before, after in itertools.pairwise(bounds)]
    for index, symbol in enumerate(symbols_of(parts)):
        if symbol in STRESSES and frames[index + 1] >= 2:
            frames[index] += 1
            frames[index + 1] -= 1
    return frames


def _symbol_starts(parts: Sequence[Segment], num_samples: int) -> list[float]:
    """Return the first sample of each symbol; a stress mark begins where its vowel does."""
    starts: list[float] = []
    ends = [*(part.start for part in parts[1:]), num_samples]
    for part, end in zip(parts, ends, strict=True):
        sounds = sum(symbol not in STRESSES for symbol in part.symbols)
        share, done = (end - part.start) / sounds, 0
        for symbol in part.symbols:
            starts.append(part.start + done * share)
            done += symbol not in STRESSES
    return starts
