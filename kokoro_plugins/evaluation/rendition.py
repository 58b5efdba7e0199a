"""A sentence as one system says it."""

from __future__ import annotations

from dataclasses import dataclass

from kokoro_core.measures.mel_distortion import Array
from kokoro_core.speaking.times import TimedPhoneme
from kokoro_plugins.evaluation.sound import Samples


@dataclass(frozen=True)
class Rendition:
    """A sentence as one system says it.

    Attributes:
        samples: (S,) float32 in [-1, 1].
        sample_rate: Samples per second.
        mel: (T, M), the natural log mel that the samples were made of; None where they were not
            made of one, or nobody kept it.
        durations: Frames of each phoneme, where the system plans them.
        phonemes: When each is heard.
        seconds: How long it took to make; None for a recording.
        loss: A sentence about what was not spoken; None if nothing is missing.
    """

    samples: Samples
    sample_rate: int
    mel: Array | None = None
    durations: tuple[int, ...] | None = None
    phonemes: tuple[TimedPhoneme, ...] = ()
    seconds: float | None = None
    loss: str | None = None

    @property
    def audio_seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.sample_rate
