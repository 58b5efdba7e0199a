"""What is measured: each measure is a ratio of two sums over sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Parts = Mapping[str, tuple[float, float]]
"""Of one sentence, for each measure that it has: what is added up, and the weight of that."""


@dataclass(frozen=True)
class Measure:
    """A measure; its value is the sum of what sentences have over the sum of their weights.

    Attributes:
        name: In JSON.
        heading: In tables.
        digits: After the point.
        better: Whether a model is better with less or with more; None: neither.
        percent: Whether it is a share that is shown in percent.
    """

    name: str
    heading: str
    digits: int
    better: Literal["less", "more"] | None = "less"
    percent: bool = False

    def written(self, value: float | None) -> str:
        """Return a value as tables have it."""
        if value is None:
            return ""
        return f"{value:.{self.digits}%}" if self.percent else f"{value:.{self.digits}f}"

    def signed(self, value: float) -> str:
        """Return a difference as tables have it; of shares it is in points."""
        return f"{100 * value if self.percent else value:+.{self.digits}f}"


MEASURES = (
    Measure("wer", "WER", 1, percent=True),
    Measure("cer", "CER", 1, percent=True),
    Measure("mos", "Distill-MOS", 2, better="more"),
    Measure("sound_distortion", "distortion, dB", 2),
    Measure("mel_distortion", "of the mel, dB", 2),
    Measure("duration_error", "durations, ms", 1),
    Measure("length_ratio", "length", 3, better=None),
    Measure("pitch_error", "pitch, cents", 0),
    Measure("voicing_error", "voicing", 1, percent=True),
    Measure("boundary_error", "boundaries, ms", 1),
    Measure("boundaries_near", "within 25 ms", 1, better="more", percent=True),
    Measure("whole", "whole", 0, better="more", percent=True),
    # Sentences do not tell how busy the machine was, so no bootstrap says that one is faster.
    Measure("real_time_factor", "real time", 3, better=None),
)
"""In the order of tables."""


def value_of(measure: str, sentences: Iterable[Parts]) -> float | None:
    """Return the value of a measure over sentences; None: no sentence has it."""
    found = [each[measure] for each in sentences if measure in each]
    weight = sum(weight for _, weight in found)
    return sum(total for total, _ in found) / weight if weight else None
