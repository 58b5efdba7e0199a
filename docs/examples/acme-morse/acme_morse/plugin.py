"""The settings of the corpus, and what the plugin brings; this file imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core import hookimpl
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import CorpusParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Corpus, Frontend

KOKORO_API = 2


class MorseParams(CorpusParams):
    """The lines of a text file in Morse code (ITU-R M.1677-1), with exact durations.

    Attributes:
        path: The file; each line is an utterance of letters and blanks.
        unit: Frames of a dot; a dash lasts three dots.
        pitch: Of the tone, in Hz.
    """

    type: Literal["morse"] = "morse"
    path: str = Field(min_length=1)
    unit: int = Field(default=3, ge=1)
    pitch: float = Field(default=700.0, gt=0)

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus.

        Raises:
            CorpusError: The file is missing, or has something that Morse code does not.
        """
        from acme_morse.corpus import MorseCorpus

        return MorseCorpus(
            path=Path(self.path), audio=audio, frontend=frontend, unit=self.unit, pitch=self.pitch
        )


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the corpus."""
    return [MorseParams]


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return a model for it."""
    return {"acme-morse": files("acme_morse") / "acme-morse.yaml"}
