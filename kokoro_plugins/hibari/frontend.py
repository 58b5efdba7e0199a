"""The frontend `hibari`: English text to the phonemes of hibari-tts, without espeak-ng."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, final

from kokoro_core.contracts import Frontend, Normalizer
from kokoro_core.errors import FrontendError
from kokoro_plugins.hibari import package
from kokoro_plugins.hibari.reading import Reader, ReadWord
from kokoro_plugins.hibari.sentence_ends import sentences_of
from kokoro_plugins.hibari.signs import in_words
from kokoro_plugins.hibari.symbols import BREAK, END, SOUNDS, START, STRESSES, SYMBOLS


@final
class HibariFrontend(Frontend):
    """Turns English text into the phonemes that hibari-tts speaks.

    A text begins with `^` and ends with `$`, the silences there; `_` is the blank between words.

    Args:
        g2p: As `kokoro_plugins.hibari.package.make_g2p` gives it.
        normalizer: Writes the text in words first; what it leaves, hibari-tts's own rules read.
        lexicon: Words and their phonemes, which win over how hibari-tts reads them.
    """

    def __init__(
        self,
        *,
        g2p: Any,
        normalizer: Normalizer | None = None,
        lexicon: Mapping[str, str] | None = None,
    ) -> None:
        self.symbols = SYMBOLS
        self.marks = frozenset(STRESSES)
        self._normalizer = normalizer
        self._reader = Reader(g2p, self._in_words, lexicon or {})

    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: The text is empty, has nothing to speak, or has something that would be
                passed over.
        """
        return [symbol for symbol, _ in self._read(text)]

    def positions(self, text: str) -> list[int]:
        """Return where in the text, in composed form, the word of each symbol begins.

        Raises:
            FrontendError: As `phonemize`.
        """
        return [place for _, place in self._read(text)]

    def normalize(self, text: str) -> str:
        """Return the text in words."""
        return package.normalize(self._in_words(text))

    def _in_words(self, text: str) -> str:
        """Return the text without what hibari-tts would pass over or misread."""
        return in_words(text if self._normalizer is None else self._normalizer.normalize(text))

    def sentences(self, text: str) -> list[str]:
        """Return the sentences of a text, long ones in parts."""
        return sentences_of(text)

    def _read(self, text: str) -> list[tuple[str, int]]:
        words = self._reader.words(text)
        if not any(each in SOUNDS for word in words for each in word.phonemes):
            raise FrontendError(f"`text` has nothing to speak: {text!r}; write at least one word.")
        return [(START, 0), *_spoken(words), (END, words[-1].place)]


def _spoken(words: list[ReadWord]) -> Iterator[tuple[str, int]]:
    """Yield symbols and places, with one break between two words of which something is heard."""
    heard = [word for word in words if word.phonemes.strip()]
    for number, word in enumerate(heard):
        if number:
            yield BREAK, word.place
        for part, phonemes in enumerate(word.phonemes.split()):
            if part:
                yield BREAK, word.place
            yield from ((each, word.place) for each in phonemes)
