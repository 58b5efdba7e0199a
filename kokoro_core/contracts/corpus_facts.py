"""`CorpusFacts`: what is known of all utterances of a corpus without reading one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FeatureFacts:
    """Figures of all numbers of a feature.

    Attributes:
        count: How many there are.
        total: Their sum.
        squares: The sum of their squares.
        least: The smallest.
        most: The largest.
    """

    count: int
    total: float
    squares: float
    least: float
    most: float

    def __add__(self, other: FeatureFacts) -> FeatureFacts:
        return FeatureFacts(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            min(self.least, other.least),
            max(self.most, other.most),
        )


NO_NUMBERS = FeatureFacts(0, 0.0, 0.0, math.inf, -math.inf)
"""To add others to."""


@dataclass(frozen=True)
class CorpusFacts:
    """What is known of all utterances of a corpus without reading one.

    Training reads each utterance once before the first step, unless the corpus knows this much.
    Whoever gives facts has looked at every utterance before: its parts fit together as those of
    `Utterance` must, names occur once, and each feature has the same form in all.

    Attributes:
        frames: Length of the mel of each utterance, in the order of the corpus.
        phonemes: Number of phonemes of each.
        aligned: How many have durations.
        uniform: How many have durations that are all equal, the last phoneme's apart.
        phoneme_indices: Those that occur.
        mean_frame: (M,), the mean of each channel of the log mels, not normalised.
        mel_mean: Of all numbers of the mels.
        mel_std: Their standard deviation.
        fingerprint: Differs if anything of an utterance does.
        keeps_mels: Whether mels are read as they are and not made anew each time.
        names: The values of features that are names, such as the speaker.
        features: Figures of the features that are numbers.
        files: The number of the file in which each utterance lies, if training should read them
            file by file; None: each may be read at any time.
        files_at_once: Among the utterances of as many files training mixes, if `files` is given.
    """

    frames: Sequence[int]
    phonemes: Sequence[int]
    aligned: int
    uniform: int
    phoneme_indices: frozenset[int]
    mean_frame: Tensor
    mel_mean: float
    mel_std: float
    fingerprint: str
    keeps_mels: bool = False
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    features: Mapping[str, FeatureFacts] = field(default_factory=dict)
    files: Sequence[int] | None = None
    files_at_once: int = 1
