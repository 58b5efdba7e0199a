"""What a layout says of an utterance before anything of it has been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kokoro_plugins.speech.corpus_problems import Problems

AUDIO_ENDINGS = (".wav", ".wave", ".flac", ".ogg", ".mp3")
"""Endings of recordings, in capitals too."""


@dataclass(frozen=True)
class GivenAlignment:
    """Phonemes that somebody aligned.

    Attributes:
        symbols: In order.
        ends: Where each ends, in seconds of the whole recording.
    """

    symbols: tuple[str, ...]
    ends: tuple[float, ...]


@dataclass(frozen=True)
class Source:
    """A recording and its text.

    Attributes:
        name: Unique, and a plain file name.
        audio: The recording.
        text: In one line.
        speaker: Who speaks, if the layout says it.
        language: Likewise.
        alignment: Of the phonemes, if a table has it.
        textgrid: With words and phones, if there is one.
    """

    name: str
    audio: Path
    text: str
    speaker: str | None = None
    language: str | None = None
    alignment: GivenAlignment | None = None
    textgrid: Path | None = None


@dataclass
class Found:
    """What lies in the data, in a fixed order, and what is wrong with it.

    Attributes:
        sources: Utterances of which there is all.
        problems: By kind.
    """

    sources: list[Source] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)


def is_audio(path: Path) -> bool:
    """Return whether a file is a recording by its ending."""
    return path.suffix.lower() in AUDIO_ENDINGS


def one_line(text: str) -> str:
    """Return a text with single blanks instead of line breaks, tabs and several blanks."""
    return " ".join(text.split())
