"""A voice of espeak-ng: text in, samples and phoneme events out.

The events carry the sample at which each phoneme begins, which is why text is turned into phonemes
here too: the phonemes of a text and of a recording of it come from one stream and cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from kokoro_plugins.speech.espeak_library import EspeakLibrary, Speech, data_path
from kokoro_plugins.speech.text.languages import LANGUAGES


@final
class Espeak:
    """One voice of espeak-ng.

    The wave depends on the library's state: the flutter of the pitch goes on from sentence to
    sentence. With a library of its own the same texts in the same order give the same samples; the
    phonemes depend on the text alone and may come from a shared one.

    Args:
        voice: One of `LANGUAGES` by its code, with ``+variant`` if wanted (``en-us+f3``).
        library: Returns the library to speak with, asked each time; None: one of its own.

    Raises:
        ValueError: The voice is not one of them, or espeak-ng has no such variant.
    """

    def __init__(
        self, voice: str = "en-us", *, library: Callable[[], EspeakLibrary] | None = None
    ) -> None:
        self.voice = voice
        language, variant = _checked(voice)
        self._library = _own_library() if library is None else library
        self._name = self._library().identifier(language) + variant
        self._library().set_voice(self._name)

    def speak(self, text: str) -> Speech:
        """Return the recording of a text and its events."""
        return self._library().speak(text, self._name)

    def version(self) -> str:
        """Return the version of espeak-ng."""
        return self._library().version()


def _own_library() -> Callable[[], EspeakLibrary]:
    own = EspeakLibrary()
    return lambda: own


def _checked(voice: str) -> tuple[str, str]:
    """Return the language and the variant of a voice, the latter with its ``+``."""
    language, plus, variant = voice.partition("+")
    if language not in LANGUAGES:
        raise ValueError(
            f"`voice` must be one of espeak-ng's languages ({', '.join(LANGUAGES)}), not {voice!r}."
        )
    variants = {each.name for each in (data_path() / "voices" / "!v").iterdir()}
    if plus and variant not in variants:
        raise ValueError(
            f"`voice` has the variant {variant!r}, which espeak-ng does not have; "
            f"it has {', '.join(sorted(variants))}."
        )
    return language, plus + variant
