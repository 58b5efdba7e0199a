"""The frontend `lexicon`: what the lexicon has, and nothing that it has not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import final

from kokoro_core.contracts import Frontend, Normalizer
from kokoro_core.errors import FrontendError
from kokoro_plugins.speech.alignment import has_sound, listed
from kokoro_plugins.speech.text.prepared import Preparation, Prepared
from kokoro_plugins.speech.text.sentence_ends import split_sentences
from kokoro_plugins.speech.vocabulary import STRESSES, SYMBOLS, Vocabulary

_TOKEN = re.compile(r"(?P<word>\w+(?:['’]\w+)*)|(?P<pause>[.…?!,;:()\[\]—–]|\s-\s)")
_MARKS = {".": ".", "…": ".", "?": "?", "!": "!"}
_STRENGTH = ",.!?"


@final
class LexiconFrontend(Frontend):
    """Reads words from a lexicon and pauses from marks; it needs no other program.

    Args:
        lexicon: Words and their symbols.
        symbols: The symbol of each index.
        normalizer: Writes the text in words first; None: it stays as it is.
        language: Whose abbreviations end no sentence.
    """

    def __init__(
        self,
        *,
        lexicon: Mapping[str, tuple[str, ...]],
        symbols: Sequence[str] = SYMBOLS,
        normalizer: Normalizer | None = None,
        language: str = "en",
    ) -> None:
        self.symbols = tuple(symbols)
        self.marks = frozenset(STRESSES)
        self._language = language
        self._normalizer = normalizer
        self._prepare = Preparation(
            vocabulary=Vocabulary(self.symbols), normalizer=normalizer, lexicon=lexicon
        )

    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: A word is not in the lexicon, or there is none.
        """
        return [symbol for symbol, _ in self._read(text)]

    def normalize(self, text: str) -> str:
        """Return the text in words."""
        return text if self._normalizer is None else self._normalizer.normalize(text)

    def sentences(self, text: str) -> list[str]:
        """Return the sentences of a text, long ones in parts."""
        return split_sentences(text, self._language)

    def positions(self, text: str) -> list[int]:
        """Return where in the text, in composed form, the word of each symbol begins.

        Raises:
            FrontendError: As `phonemize`.
        """
        return [place for _, place in self._read(text)]

    def _read(self, text: str) -> list[tuple[str, int]]:
        """Return each symbol of a text and its place."""
        prepared = self._prepare(text)
        unknown: list[str] = []
        read = list(_spoken(prepared, unknown))
        if unknown:
            words = list(dict.fromkeys(unknown))
            verb = "is" if len(words) == 1 else "are"
            raise FrontendError(
                f"`text` has {listed(words)}, which {verb} not in the lexicon; add a line for "
                f"each, or write phonemes in `[[…]]`."
            )
        if not has_sound(symbol for symbol, _ in read):
            raise FrontendError(f"`text` has nothing to speak: {text!r}; write at least one word.")
        return read if read[-1][0] in _STRENGTH else [*read, (".", len(text))]


def _spoken(prepared: Prepared, unknown: list[str]) -> Iterator[tuple[str, int]]:
    """Yield symbols and places; of marks in a row the strongest is one pause."""
    stand_of = {stand.start: stand for stand in prepared.stands}
    pause, is_begun = "", False
    for found in _TOKEN.finditer(prepared.text):
        place = prepared.place(found.start())
        if found["pause"]:
            pause = max(pause, _MARKS.get(found["pause"], ","), key=_strength)
            continue
        if pause and is_begun:
            yield pause, place
        pause, is_begun = "", True
        stand = stand_of.get(found.start())
        if stand is None:
            unknown.append(found.group())
        else:
            yield from ((symbol, place) for symbol in stand.symbols)
    if pause and is_begun:
        yield pause, prepared.place(len(prepared.text))


def _strength(mark: str) -> int:
    return _STRENGTH.find(mark) if mark else -1
