"""The 63 symbols of English: what an index means. docs/vocabulary.md is the same list in prose.

A symbol is a sound, a stress mark, or a pause. The compounds of espeak-ng that end in an r or a
schwa (``ɑːɹ``, ``aɪɚ``, ``əl``, British ``əʊ`` …) are written as their parts.
"""

from __future__ import annotations

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

_SOUNDS = frozenset(SYMBOLS) - {PAD, *PAUSES}
_LONGEST = max(len(each) for each in _SOUNDS)


def split_phoneme(phoneme: str) -> list[str] | None:
    """Return the symbols of one phoneme of espeak-ng, or None if there are none for it.

    At each place the longest symbol is taken: ``ˈaɪɚ`` is ``ˈ``, ``aɪ``, ``ɚ``. A stress mark needs
    a sound after it.
    """
    symbols: list[str] = []
    place = 0
    while place < len(phoneme):
        found = _longest_symbol(phoneme, place)
        if found is None:
            return None
        symbols.append(found)
        place += len(found)
    return None if symbols and symbols[-1] in STRESSES else symbols


def _longest_symbol(phoneme: str, place: int) -> str | None:
    for length in range(_LONGEST, 0, -1):
        candidate = phoneme[place : place + length]
        if len(candidate) == length and candidate in _SOUNDS:
            return candidate
    return None
