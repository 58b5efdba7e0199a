"""`Preparation`: what was prepared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kokoro_core import ModelSpec
from kokoro_plugins.speech.corpus_problems import Problems
from kokoro_plugins.speech.preparing.outliers import Outlier
from kokoro_plugins.speech.preparing.prepared import Prepared


@dataclass(frozen=True)
class Preparation:
    """What was prepared.

    Attributes:
        out: The folder.
        spec: The model with what the data decided.
        utterances: All that the corpus has, in its order.
        outliers: How far each is from the others, the farthest first; the dropped ones too.
        dropped: Those that were left out as the worst; their recordings are there.
        held_out: Names of those that are not trained on.
        problems: Of those that were left out.
        advice: A sentence for each thing that is odd.
    """

    out: Path
    spec: ModelSpec
    utterances: tuple[Prepared, ...]
    outliers: tuple[Outlier, ...]
    dropped: tuple[Prepared, ...]
    held_out: frozenset[str]
    problems: Problems
    advice: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Of speech in all."""
        assert self.spec.audio is not None
        frame = self.spec.audio.hop_length / self.spec.audio.sample_rate
        return sum(each.frames for each in self.utterances) * frame
