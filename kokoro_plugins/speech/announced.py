"""Words and how espeak-ng read them: letters that it names where they should be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kokoro_core.errors import FrontendError
from kokoro_plugins.speech.alignment import listed
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import SpeechEvent

STRESS = str.maketrans("", "", "ˈˌ")
"""Translates phonemes to those without stress."""


@dataclass(frozen=True)
class ReadWord:
    """A word of a text and how it was read.

    Attributes:
        text: As it is written.
        reading: Its phonemes without stress.
        is_spelled: Whether its letters were read one by one as words of their own.
    """

    text: str
    reading: str
    is_spelled: bool

    @property
    def strange_letters(self) -> list[str]:
        """The distinct letters beyond ASCII."""
        return [each for each in dict.fromkeys(self.text) if _is_strange_letter(each)]


def read_words(text: str, events: Iterable[SpeechEvent]) -> Iterator[ReadWord]:
    """Yield the words of a text in order, a word being what blanks surround."""
    by_position: dict[int, list[SpeechEvent]] = {}
    for event in events:
        by_position.setdefault(event.text_position - 1, []).append(event)
    for found in re.finditer(r"\S+", text):
        own = [each for place in range(*found.span()) for each in by_position.get(place, ())]
        begins = Counter(each.text_position for each in own if each.kind == "word")
        reading = "".join(each.phoneme for each in own).translate(STRESS)
        yield ReadWord(found.group(), reading, max(begins.values(), default=0) > 1)


def check_letters(words: Iterable[ReadWord], espeak: Espeak) -> None:
    """Refuse words with a letter that espeak-ng does not read but names, or passes over.

    It names what its English rules do not know: "letter one E C five" for ``ễ``, "a macron" for
    ``Ā`` after a small letter.

    Raises:
        FrontendError: The words and their letters are named.
    """
    wrong: dict[str, list[str]] = {}
    for word in words:
        letters = [each for each in word.strange_letters if _is_not_read(each, word, espeak)]
        if letters:
            wrong[word.text] = letters
    if wrong:
        letters = list(dict.fromkeys(each for found in wrong.values() for each in found))
        raise FrontendError(
            f"`text` has {listed(list(wrong))} with {listed(letters)}, which espeak-ng does not "
            f"read as part of an English word but spells out or passes over; write it with other "
            f"letters."
        )


def _is_not_read(letter: str, word: ReadWord, espeak: Espeak) -> bool:
    name = phonemes(espeak, letter)
    plain = name.translate(STRESS)
    if not plain or word.is_spelled:
        return True
    if plain.startswith(phonemes(espeak, "letter").translate(STRESS)):
        return plain in word.reading
    # A name of two stresses, as "a macron", is not how a letter within a word is read.
    is_alone = sum(map(str.isalpha, word.text)) == 1
    return not is_alone and len(name) - len(plain) >= 2 and plain in word.reading


def phonemes(espeak: Espeak, text: str) -> str:
    """Return what espeak-ng speaks for a text, stress marks included."""
    return "".join(each.phoneme for each in espeak.speak(text).events)


def _is_strange_letter(character: str) -> bool:
    return character.isalpha() and not character.isascii()
