"""The frontend `espeak`: English text to the symbols of the vocabulary."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence
from typing import final

from kokoro_core.contracts import Frontend
from kokoro_core.errors import FrontendError, FrontendWarning
from kokoro_plugins.speech.alignment import Segment, has_sound, listed, segments, symbols_of
from kokoro_plugins.speech.announced import check_letters, read_words
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import Speech
from kokoro_plugins.speech.misreadings import misreadings
from kokoro_plugins.speech.vocabulary import PAD, SYMBOLS


@final
class EspeakFrontend(Frontend):
    """Turns English text into phonemes as espeak-ng would speak it, pauses and stress included.

    Args:
        espeak: The voice; it decides the accent.
    """

    symbols = SYMBOLS

    def __init__(self, *, espeak: Espeak) -> None:
        self._espeak = espeak

    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: The text is empty, has nothing to speak, is in another script, or has a
                sound that English has not.

        Warns:
            FrontendWarning: Something is surely not read as it is meant.
        """
        speech, parts = speak_aligned(self._espeak, text)
        for message in misreadings(self._espeak, compose(text), speech.events):
            warnings.warn(message, FrontendWarning, stacklevel=2)
        return symbols_of(parts)

    def positions(self, text: str) -> list[int]:
        """Return where in the text, in composed form, the word of each symbol begins.

        Raises:
            FrontendError: As `phonemize`.
        """
        parts = speak_aligned(self._espeak, text)[1]
        return [part.position for part in parts for _ in part.symbols]

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


def speak_aligned(espeak: Espeak, text: str) -> tuple[Speech, list[Segment]]:
    """Return the recording of a text and its segments.

    Raises:
        FrontendError: As `EspeakFrontend.phonemize`.
    """
    plain = check_text(text)
    speech = espeak.speak(plain)
    if not plain.isascii():
        check_letters(read_words(plain, speech.events), espeak)
    parts = segments(speech.events, plain)
    if not has_sound(symbols_of(parts)):
        raise FrontendError(f"`text` has nothing to speak: {text!r}; write at least one word.")
    return speech, parts


def check_text(text: str) -> str:
    """Return the text in composed form (NFC) if an English voice can read it.

    Raises:
        FrontendError: It is empty, or has control characters or letters of another script.
    """
    plain = compose(text)
    if not plain.strip():
        raise FrontendError(f"`text` is empty: {text!r}; write at least one word.")
    unspoken = list(dict.fromkeys(each for each in plain if _is_unspoken(each)))
    if unspoken:
        raise FrontendError(
            f"`text` has {listed(unspoken)}, control characters, pictures or signs that are read "
            f"as no English word; take them out or write what is to be said."
        )
    foreign = list(dict.fromkeys(each for each in plain if _is_foreign(each)))
    if foreign:
        raise FrontendError(
            f"`text` has {listed(foreign)} of another script; the frontend `espeak` reads English "
            f"in Latin letters."
        )
    return plain


def compose(text: str) -> str:
    """Return the text in composed form (NFC)."""
    return unicodedata.normalize("NFC", text)


def _is_unspoken(character: str) -> bool:
    """Return whether espeak-ng would pass a character over or spell out its number or name."""
    category = unicodedata.category(character)
    if category == "So" and ord(character) < 0x100:
        return False  # ° © ®, which it reads as words
    return category in ("Cc", "Cs", "Co", "Cn", "Nl", "So") and not character.isspace()


def _is_foreign(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Nd":
        return not character.isascii()
    return category.startswith("L") and not unicodedata.name(character, "").startswith("LATIN")
