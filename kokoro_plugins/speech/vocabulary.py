"""The 63 symbols of English: what an index means. docs/vocabulary.md is the same list in prose.

A symbol is a sound, a stress mark, or a pause. The compounds of espeak-ng that end in an r or a
schwa (``ɑːɹ``, ``aɪɚ``, ``əl``, British ``əʊ`` …) are written as their parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

VOICES = ("en-us", "en-us-nyc", "en-gb", "en-gb-x-rp")
"""The voices of espeak-ng whose sounds are all among the symbols."""

PAD = "_"
PAD_ID = 0
PAUSES = (",", ".", "?", "!")
PRIMARY_STRESS, SECONDARY_STRESS = "ˈ", "ˌ"
STRESSES = (PRIMARY_STRESS, SECONDARY_STRESS)

STOPS = ("p", "b", "t", "d", "k", "ɡ", "ʔ")
AFFRICATES = ("tʃ", "dʒ")
FRICATIVES = ("f", "v", "θ", "ð", "s", "z", "ʃ", "ʒ", "h", "x", "ɬ")
NASALS = ("m", "n", "ŋ", "n̩")
LIQUIDS = ("l", "ɹ", "r", "ɾ", "j", "w")
VOWELS = (
    *("ə", "ɐ", "ɚ", "ᵻ", "ɪ", "i", "iː", "ɛ", "æ", "a", "ʌ", "ɑː"),
    *("ɑ̃", "ɒ", "ɔ", "ɔː", "ʊ", "u", "uː", "ɜː"),
)
DIPHTHONGS = ("eɪ", "aɪ", "ɔɪ", "aʊ", "oʊ", "eə")

SYMBOLS: tuple[str, ...] = (
    PAD,
    *PAUSES,
    *STRESSES,
    *STOPS,
    *AFFRICATES,
    *FRICATIVES,
    *NASALS,
    *LIQUIDS,
    *VOWELS,
    *DIPHTHONGS,
)
"""The symbol of each phoneme index."""


@dataclass(frozen=True)
class Vocabulary:
    """Symbols, and how phonemes are written in them.

    Attributes:
        symbols: The symbol of each index, padding and pauses among them.
    """

    symbols: tuple[str, ...]

    def split(self, phoneme: str) -> list[str] | None:
        """Return the symbols of one phoneme, or None if there are none for it.

        At each place the longest symbol is taken: ``ˈaɪɚ`` is ``ˈ``, ``aɪ``, ``ɚ``. A stress mark
        needs a sound after it.
        """
        found: list[str] = []
        place = 0
        while place < len(phoneme):
            symbol = self._longest(phoneme, place)
            if symbol is None:
                return None
            found.append(symbol)
            place += len(symbol)
        return None if found and found[-1] in STRESSES else found

    def _longest(self, phoneme: str, place: int) -> str | None:
        for length in range(self._longest_length, 0, -1):
            candidate = phoneme[place : place + length]
            if len(candidate) == length and candidate in self._sounds:
                return candidate
        return None

    @cached_property
    def _sounds(self) -> frozenset[str]:
        return frozenset(self.symbols) - {PAD, *PAUSES}

    @cached_property
    def _longest_length(self) -> int:
        return max(map(len, self._sounds), default=0)


ENGLISH = Vocabulary(SYMBOLS)
"""The 63 symbols."""
