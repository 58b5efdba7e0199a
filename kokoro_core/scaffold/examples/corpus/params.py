"""The settings of the component: what a recipe may say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import CorpusParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Corpus, Frontend


class ExampleParams(CorpusParams):
    """A folder with ``texts.tsv``, a name, a tab and a text a line, and ``NAME.wav`` beside it.

    Attributes:
        path: The folder.
    """

    type: Literal["example"] = "example"
    path: str = Field(min_length=1)

    @property
    def has_durations(self) -> bool:
        """Nobody has aligned the recordings, so the model needs an aligner."""
        return False

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus.

        Raises:
            CorpusError: The folder does not fit; the message lists every problem.
        """
        from kokoro_core.scaffold.examples.corpus.corpus import ExampleCorpus

        return ExampleCorpus(path=Path(self.path), audio=audio, frontend=frontend)
