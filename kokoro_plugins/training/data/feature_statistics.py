"""Mean and standard deviation of the features of a corpus, for the spec to normalise them with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch

from kokoro_core import ModelSpec
from kokoro_core.contracts import Utterance

FAR_MEAN, FAR_STD = 1.0, 3.0
"""Of the spec's: standard deviations between the means, and times the standard deviation."""


@final
@dataclass
class Moments:
    """Adds up numbers."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        """Of all numbers."""
        return self.total / self.count

    @property
    def std(self) -> float:
        """Of all numbers."""
        return math.sqrt(max(self.squares / self.count - self.mean**2, 0.0))


def add_features(utterance: Utterance, into: Mapping[str, Moments]) -> None:
    """Add the numbers of an utterance's features to those of each."""
    for name, moments in into.items():
        values = torch.as_tensor(utterance.features[name]).double()
        moments.count += values.numel()
        moments.total += float(values.sum())
        moments.squares += float(values.square().sum())


def feature_advice(found: Mapping[str, Moments], spec: ModelSpec) -> Iterator[str]:
    """Yield a sentence for each feature that the spec does not bring near 0 and 1."""
    for name, moments in found.items():
        described = spec.features.get(name)
        mean, std = (0.0, 1.0) if described is None else (described.mean, described.std)
        ratio = moments.std / std
        near = abs(moments.mean - mean) <= FAR_MEAN * std and 1 / FAR_STD < ratio < FAR_STD
        if near or not moments.std:
            continue
        yield (
            f"the feature `{name}` has mean {moments.mean:.3g} and std {moments.std:.3g}, far from "
            f"the spec's {mean:.3g} and {std:.3g}, so that the model sees numbers far from 0 "
            f"and 1; add `--set features.{name}.mean={moments.mean:.3f} "
            f"--set features.{name}.std={moments.std:.3g}`"
        )
