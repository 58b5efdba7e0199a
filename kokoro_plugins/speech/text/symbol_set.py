"""The symbols that texts are spoken with by a voice."""

from __future__ import annotations

from collections.abc import Iterable

from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import check_text, compose
from kokoro_plugins.speech.vocabulary import PAD, PAUSES, STRESSES


def symbols_of_texts(espeak: Espeak, texts: Iterable[str]) -> tuple[str, ...]:
    """Return padding, pauses, stress marks, and each sound of the texts, sorted.

    A phoneme of espeak-ng is one symbol, its stress mark another.

    Raises:
        FrontendError: A text is empty or in another script than the voice reads.
    """
    sounds: set[str] = set()
    for text in texts:
        plain = compose(text)
        check_text(plain, espeak.voice)
        sounds |= {each.phoneme.lstrip("".join(STRESSES)) for each in espeak.speak(plain).events}
    return (PAD, *PAUSES, *STRESSES, *sorted(sounds - {""}))
