"""When each word and each phoneme of a sentence is heard."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from kokoro_core.speaking.words import words_of


@dataclass(frozen=True)
class TimedPhoneme:
    """A symbol and when it is heard, in seconds from the start of what was spoken."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class TimedWord:
    """A word, or a pause, whose text is empty, and when it is heard, in seconds.

    Attributes:
        text: As it is written, with the marks around it.
        start: When its first phoneme begins.
        end: When its last phoneme ends.
        phonemes: What is heard.
    """

    text: str
    start: float
    end: float
    phonemes: tuple[TimedPhoneme, ...]

    def later(self, seconds: float) -> TimedWord:
        """Return the same word so many seconds later."""
        phonemes = tuple(
            TimedPhoneme(each.symbol, each.start + seconds, each.end + seconds)
            for each in self.phonemes
        )
        return TimedWord(self.text, self.start + seconds, self.end + seconds, phonemes)


def timed_words(
    text: str,
    symbols: Sequence[str],
    positions: Sequence[int] | None,
    ends: Sequence[float],
) -> tuple[TimedWord, ...]:
    """Return the words of a sentence with their times.

    Args:
        text: What was spoken.
        symbols: Its phonemes and pauses.
        positions: Where in the text the word of each symbol begins; None: the text is one word.
        ends: When each symbol ends, in seconds; it begins where the one before ends.
    """
    starts = [0.0, *ends][: len(ends)]
    heard = list(itertools.starmap(TimedPhoneme, zip(symbols, starts, ends, strict=True)))
    if positions is None:
        return (TimedWord(text, 0.0, ends[-1], tuple(heard)),)
    words: list[TimedWord] = []
    for each in words_of(text, symbols, positions):
        own = tuple(heard[each.first : each.first + len(each.symbols)])
        words.append(TimedWord(each.text, own[0].start, own[-1].end, own))
    return tuple(words)
