"""A text made ready for a voice: in words, with what has given phonemes behind a stand-in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from kokoro_core.contracts import Normalizer
from kokoro_core.errors import FrontendError
from kokoro_plugins.speech.alignment import listed
from kokoro_plugins.speech.text.lexicon import pronunciation
from kokoro_plugins.speech.text.places import places_in
from kokoro_plugins.speech.vocabulary import DIPHTHONGS, PAD, STRESSES, VOWELS, Vocabulary

_GIVEN = re.compile(r"\[\[(.*?)\]\](['’]s\b)?", re.DOTALL)
_WORD = re.compile(r"\w+(?:['’.&-]\w+)*")
_PART = re.compile(r"\w+(?:['’]\w+)*")
_OWNERS = ("'s", "’s")
_SIBILANTS = frozenset(("s", "z", "ʃ", "ʒ", "tʃ", "dʒ"))
_VOICELESS = frozenset(("p", "t", "k", "f", "θ"))
_CONSONANTS = "bdfgklmnpt"
_SPOKEN_OPEN = frozenset((*VOWELS, *DIPHTHONGS))


@dataclass(frozen=True)
class Stand:
    """A stand-in in a text.

    Attributes:
        start: Its first place.
        end: Past its last place.
        symbols: What is spoken there.
    """

    start: int
    end: int
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """A text as a voice reads it.

    Attributes:
        text: In words, with stand-ins.
        stands: The stand-ins, in order.
        place: Maps a place in it to one of the text that was given, in composed form.
    """

    text: str
    stands: tuple[Stand, ...]
    place: Callable[[int], int]


@dataclass(frozen=True)
class Preparation:
    """What is done to a text before a voice reads it.

    Attributes:
        vocabulary: The symbols that there are.
        normalizer: Writes it in words; None: it stays as it is.
        lexicon: Words and their symbols.
        check: Refuses texts that the voice cannot read.
    """

    vocabulary: Vocabulary
    normalizer: Normalizer | None = None
    lexicon: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    check: Callable[[str], None] = lambda text: None

    def __call__(self, text: str) -> Prepared:
        """Return a text made ready.

        Raises:
            FrontendError: The voice cannot read it, or it has phonemes without a symbol.
        """
        written = unicodedata.normalize("NFC", text)
        stand_ins = StandIns(written)
        spoken = self._with_given(written, stand_ins)
        spoken = self._with_lexicon(spoken, stand_ins)
        self.check(spoken)
        if self.normalizer is not None:
            spoken = self._with_lexicon(self.normalizer.normalize(spoken), stand_ins)
        return Prepared(spoken, tuple(stand_ins.found_in(spoken)), places_in(written, spoken))

    def _with_given(self, text: str, stand_ins: StandIns) -> str:
        """Return a text with stand-ins for the phonemes that are written in it."""

        def replaced(found: re.Match[str]) -> str:
            symbols = self._given(found[1])
            return stand_ins.of(self._owning(symbols) if found[2] else symbols)

        return _GIVEN.sub(replaced, text)

    def _given(self, phonemes: str) -> tuple[str, ...]:
        parts = [(each, self._symbols(each)) for each in phonemes.split()]
        unknown = [each for each, symbols in parts if symbols is None]
        if unknown or not parts:
            what = f"{listed(unknown)}, which are no symbols" if unknown else "no phoneme"
            raise FrontendError(
                f"`text` has {what} in `[[{phonemes}]]`; between the brackets stand symbols of the "
                f"frontend with blanks between them, such as "
                f"`[[{' '.join(self.vocabulary.symbols[-3:])}]]`."
            )
        return tuple(symbol for _, symbols in parts for symbol in symbols or ())

    def _owning(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Return symbols with the sound of the English possessive."""
        last = symbols[-1]
        ending = ("ᵻ", "z") if last in _SIBILANTS else ("s",) if last in _VOICELESS else ("z",)
        return (*symbols, *(each for each in ending if each in self.vocabulary.symbols))

    def _symbols(self, phoneme: str) -> list[str] | None:
        is_symbol = phoneme in self.vocabulary.symbols and phoneme != PAD
        return [phoneme] if is_symbol else self.vocabulary.split(phoneme)

    def _with_lexicon(self, text: str, stand_ins: StandIns) -> str:
        """Return a text with stand-ins for the words of the lexicon."""

        def replaced(found: re.Match[str]) -> str:
            word = found.group()
            symbols = pronunciation(self.lexicon, word)
            if symbols is not None:
                return stand_ins.of(symbols, is_capital=word[0].isupper())
            symbols = pronunciation(self.lexicon, word[:-2]) if word[-2:] in _OWNERS else None
            if symbols is not None:
                return stand_ins.of(self._owning(symbols), is_capital=word[0].isupper())
            return word if _PART.fullmatch(word) else _PART.sub(replaced, word)

        return _WORD.sub(replaced, text) if self.lexicon else text


class StandIns:
    """Words that nobody writes, each for symbols.

    A voice reads them as it reads a noun, so that what is around them is read as beside one. In
    English that depends on whether its first sound is a vowel, so a stand-in begins as its symbols.

    Args:
        text: They are no words of it.
    """

    def __init__(self, text: str) -> None:
        self._base = "babib"
        while self._base in text.lower():
            self._base += "ib"
        self._symbols: dict[str, tuple[str, ...]] = {}
        syllables = f"(?:[{_CONSONANTS}]a)+"
        self._pattern = re.compile(rf"(?<!\w)o?{self._base}{syllables}", re.IGNORECASE)

    def of(self, symbols: tuple[str, ...], *, is_capital: bool = False) -> str:
        """Return a new stand-in, with a capital if its word is a name."""
        first = next((each for each in symbols if each not in STRESSES), "")
        number = str(len(self._symbols))
        ending = "".join(f"{_CONSONANTS[int(digit)]}a" for digit in number)
        word = ("o" if first in _SPOKEN_OPEN else "") + self._base + ending
        word = word.capitalize() if is_capital else word
        self._symbols[word] = symbols
        return word

    def found_in(self, text: str) -> Iterator[Stand]:
        """Yield the stand-ins of a text in order."""
        for found in self._pattern.finditer(text):
            if found.group() in self._symbols:
                yield Stand(found.start(), found.end(), self._symbols[found.group()])
