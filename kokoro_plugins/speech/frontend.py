"""The frontend `espeak`: text to the symbols of a vocabulary."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import final

from kokoro_core.contracts import Frontend, Normalizer
from kokoro_core.errors import FrontendError, FrontendWarning
from kokoro_plugins.speech.alignment import Segment, has_sound, listed, segments, symbols_of
from kokoro_plugins.speech.announced import check_letters, phonemes, read_words
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import Speech
from kokoro_plugins.speech.misreadings import misreadings
from kokoro_plugins.speech.text.languages import base_of, name_of, scripts_of
from kokoro_plugins.speech.text.prepared import Preparation, Prepared
from kokoro_plugins.speech.text.sentence_ends import split_sentences
from kokoro_plugins.speech.vocabulary import ENGLISH, PAD, STRESSES, SYMBOLS, Vocabulary


@final
class EspeakFrontend(Frontend):
    """Turns text into phonemes as espeak-ng would speak it, pauses and stress included.

    Args:
        espeak: The voice; it decides language and accent.
        symbols: The symbol of each index.
        normalizer: Writes the text in words before espeak-ng reads it; None: espeak-ng does.
        lexicon: Words and their symbols, which win over how espeak-ng reads them.
    """

    def __init__(
        self,
        *,
        espeak: Espeak,
        symbols: Sequence[str] = SYMBOLS,
        normalizer: Normalizer | None = None,
        lexicon: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self.marks = frozenset(STRESSES)
        self._espeak = espeak
        self._vocabulary = Vocabulary(self.symbols)
        self._normalizer = normalizer
        self._prepare = Preparation(
            vocabulary=self._vocabulary,
            normalizer=normalizer,
            lexicon=lexicon or {},
            check=partial(check_text, voice=espeak.voice),
        )

    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: The text is empty, has nothing to speak, is in another script, or has a
                sound without a symbol.

        Warns:
            FrontendWarning: Something is surely not read as it is meant.
        """
        prepared, speech, parts = self._read(text)
        for message in misreadings(self._espeak, prepared.text, speech.events):
            warnings.warn(message, FrontendWarning, stacklevel=2)
        return symbols_of(parts)

    def normalize(self, text: str) -> str:
        """Return the text in words, in composed form."""
        plain = compose(text)
        return plain if self._normalizer is None else self._normalizer.normalize(plain)

    def speak(self, text: str) -> tuple[Speech, list[Segment]]:
        """Return a recording of a text by espeak-ng, and the phonemes with where each begins.

        It is made by a copy of the library that has not spoken before, so the samples depend on the
        text alone.

        Raises:
            FrontendError: As `phonemize`.
        """
        _, speech, parts = self._read(text, Espeak(self._espeak.voice))
        return speech, parts

    def sentences(self, text: str) -> list[str]:
        """Return the sentences of a text, long ones in parts."""
        return split_sentences(text, base_of(self._espeak.voice))

    def positions(self, text: str) -> list[int]:
        """Return where in the text, in composed form, the word of each symbol begins.

        Raises:
            FrontendError: As `phonemize`.
        """
        prepared, _, parts = self._read(text)
        return [prepared.place(part.position) for part in parts for _ in part.symbols]

    def indices(self, symbols: Sequence[str]) -> list[int]:
        """Return the index of each symbol.

        Raises:
            FrontendError: A symbol is unknown, or is the one for padding.
        """
        if PAD in symbols:
            raise FrontendError(
                f"`EspeakFrontend` keeps the symbol {PAD!r} for padding; a text does not have it."
            )
        return super().indices(symbols)

    def _read(
        self, text: str, espeak: Espeak | None = None
    ) -> tuple[Prepared, Speech, list[Segment]]:
        prepared = self._prepare(text)
        espeak = self._espeak if espeak is None else espeak
        speech, parts = speak_prepared(espeak, prepared.text, self._vocabulary)
        parts = list(_with_stands(parts, prepared))
        if not has_sound(symbols_of(parts)):
            raise FrontendError(f"`text` has nothing to speak: {text!r}; write at least one word.")
        return prepared, speech, parts


def _with_stands(parts: Sequence[Segment], prepared: Prepared) -> Iterator[Segment]:
    """Yield segments with what stand-ins stand for in place of how they are read."""
    stand_of = {stand.start: stand for stand in prepared.stands}
    for (position, is_sound), group in groupby(
        parts, key=lambda part: (part.position, has_sound(part.symbols))
    ):
        read = list(group)
        stand = stand_of.get(position) if is_sound else None
        if stand is None:
            yield from read
            continue
        yield replace(read[0], symbols=stand.symbols)


def speak_aligned(espeak: Espeak, text: str) -> tuple[Speech, list[Segment]]:
    """Return the recording of a text and its segments.

    Raises:
        FrontendError: As `EspeakFrontend.phonemize`.
    """
    plain = compose(text)
    check_text(plain, espeak.voice)
    speech, parts = speak_prepared(espeak, plain, ENGLISH)
    if not has_sound(symbols_of(parts)):
        raise FrontendError(f"`text` has nothing to speak: {text!r}; write at least one word.")
    return speech, parts


def speak_prepared(
    espeak: Espeak, plain: str, vocabulary: Vocabulary
) -> tuple[Speech, list[Segment]]:
    """Return the recording of a text that a voice can read, and its segments.

    Raises:
        FrontendError: A sign is passed over, a letter is named instead of read, or a sound has no
            symbol.
    """
    speech = espeak.speak(plain)
    check_signs(plain, espeak)
    if not plain.isascii() and base_of(espeak.voice) == "en":
        check_letters(read_words(plain, speech.events), espeak)
    return speech, segments(speech.events, plain, vocabulary)


def check_text(plain: str, voice: str = "en-us") -> None:
    """Refuse a text that a voice cannot read.

    Raises:
        FrontendError: It is empty, or has control characters or letters of another script.
    """
    if not plain.strip():
        raise FrontendError(f"`text` is empty: {plain!r}; write at least one word.")
    language = name_of(voice)
    _refuse_unspoken([each for each in plain if _is_unspoken(each)], language)
    scripts = tuple(scripts_of(base_of(voice)))
    foreign = list(dict.fromkeys(each for each in plain if _is_foreign(each, scripts)))
    if foreign:
        letters = " or ".join(each.capitalize() for each in scripts)
        raise FrontendError(
            f"`text` has {listed(foreign)} of another script; the voice `{voice}` reads "
            f"{language} in {letters} letters."
        )


def check_signs(plain: str, espeak: Espeak) -> None:
    """Refuse a text with signs of money, of mathematics or of numbers that a voice passes over.

    Raises:
        FrontendError: There are any.
    """
    signs = [each for each in dict.fromkeys(plain) if _is_sign(each)]
    unspoken = [each for each in signs if not any(map(str.isalpha, phonemes(espeak, each)))]
    _refuse_unspoken(unspoken, name_of(espeak.voice))


def _refuse_unspoken(characters: Sequence[str], language: str) -> None:
    if unspoken := list(dict.fromkeys(characters)):
        raise FrontendError(
            f"`text` has {listed(unspoken)}, control characters, pictures or signs that are read "
            f"as no {language} word; take them out or write what is to be said."
        )


def compose(text: str) -> str:
    """Return the text in composed form (NFC)."""
    return unicodedata.normalize("NFC", text)


def _is_unspoken(character: str) -> bool:
    """Return whether espeak-ng would pass a character over or spell out its number or name."""
    category = unicodedata.category(character)
    if category == "So" and ord(character) < 0x100:
        return False  # ° © ®, which it reads as words
    return category in ("Cc", "Cs", "Co", "Cn", "Nl", "So") and not character.isspace()


def _is_sign(character: str) -> bool:
    """Return whether something should be said for a character that is no letter and no mark."""
    if character.isascii():
        return character in "<>"
    return character in "‰‱′″" or unicodedata.category(character) in ("Sc", "Sm", "No")


def _is_foreign(character: str, scripts: tuple[str, ...]) -> bool:
    """Return whether a letter is of none of the scripts, or a digit but 0 to 9 is of Latin text."""
    category = unicodedata.category(character)
    name = unicodedata.name(character, "")
    if category == "Nd":
        return not (character.isascii() or name.startswith(scripts))
    return category.startswith("L") and not name.startswith(scripts)
