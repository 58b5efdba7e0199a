"""From espeak-ng's events to the symbols of the vocabulary and where each begins."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kokoro_core.errors import FrontendError
from kokoro_plugins.speech.espeak_library import SpeechEvent
from kokoro_plugins.speech.vocabulary import ENGLISH, PAUSES, STRESSES, Vocabulary

_STRONGEST_FIRST = "?!."
_OPEN_MARKS = ",;:-–—"
_LETTERS = re.compile(r"\w+")
_ENDINGS = re.compile(r"\W*$")
_LEAST_PAUSE = 1764
"""Samples, 80 ms: espeak-ng takes 7 to 56 ms after "Dr." and "J. R. R.", for a mark 110 or more."""


@dataclass(frozen=True)
class Segment:
    """A phoneme as espeak-ng speaks it, or a pause.

    Attributes:
        symbols: What the vocabulary has for it.
        start: Its first sample.
        position: Where in the text its word begins, or how much was read before a pause.
    """

    symbols: tuple[str, ...]
    start: int
    position: int = 0


def segments(
    events: Sequence[SpeechEvent], text: str, vocabulary: Vocabulary = ENGLISH
) -> list[Segment]:
    """Return the phonemes and pauses of a text in order.

    A pause comes as two or more empty events in a row and becomes one symbol, the punctuation mark
    that caused it; one too short for a mark, as after an abbreviation, becomes none. A single empty
    event is the glide between two vowels and stays with the first.

    Raises:
        FrontendError: A phoneme has no symbol; the error names all such and their words.
    """
    unknown = [e for e in events if vocabulary.split(e.phoneme) is None]
    if unknown:
        words = dict.fromkeys(word_at(text, each.text_position - 1) for each in unknown)
        raise FrontendError(
            f"espeak-ng speaks {listed(sorted({each.phoneme for each in unknown}))} in "
            f"{listed(list(words))}, for which the vocabulary has no symbol; write what it comes "
            f"from in another way."
        )
    spoken = [each for each in events if each.kind != "word"]
    return list(_segments(spoken, text, vocabulary))


def _segments(
    events: Iterable[SpeechEvent], text: str, vocabulary: Vocabulary
) -> Iterator[Segment]:
    clause_start = 0
    groups = [(silent, list(run)) for silent, run in itertools.groupby(events, key=_is_silent)]
    for (silent, group), (_, after) in itertools.zip_longest(
        groups, groups[1:], fillvalue=(False, [])
    ):
        if not silent:
            for each in group:
                symbols = tuple(vocabulary.split(each.phoneme) or ())
                yield Segment(symbols, each.sample, _word_start(text, each.text_position))
            continue
        ends = [each.text_position for each in group if each.kind == "clause_end"]
        start, end = group[0].sample, after[0].sample if after else math.inf
        if len(group) - len(ends) >= 2 and end - start >= _LEAST_PAUSE:
            mark = _pause_mark(text, clause_start, ends[-1]) if ends else ","
            # A pause that ends no clause stands before the word after it.
            place = ends[-1] if ends else _word_start(text, (after or group)[0].text_position)
            yield Segment((mark,), start, place)
        clause_start = ends[-1] if ends else clause_start


def _word_start(text: str, position: int) -> int:
    """Return where a word begins.

    After "Dr." espeak-ng counts from the blank before it, and of two words that its dictionary has
    as one, such as "so much", it puts the second at the second letter of the first.
    """
    start = max(0, position - 1)
    if text[start - 1 : start].isalpha() and text[start : start + 1].isalpha():
        start += len(_LETTERS.findall(text[start:])[0])
    return start + len(text[start:]) - len(text[start:].lstrip())


def _is_silent(event: SpeechEvent) -> bool:
    return not event.phoneme


def word_at(text: str, position: int) -> str:
    """Return the word of a text that a position lies in."""
    before = text[: max(0, position) + 1]
    start = len(before) - len(before.split()[-1]) if before.strip() else 0
    return text[start:].split(maxsplit=1)[0]


def listed(parts: Sequence[str], at_most: int = 5) -> str:
    """Return the first few in quotation marks, with commas between."""
    more = ", …" if len(parts) > at_most else ""
    return ", ".join(map(repr, parts[:at_most])) + more


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
