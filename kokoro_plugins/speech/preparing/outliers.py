"""Utterances that are least like the others, ranked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kokoro_plugins.speech.preparing.prepared import Prepared

FAR = 6.0
"""Scores from which on an utterance is said to be far from the others."""

FEW = 8
"""Of fewer utterances nobody can say what is usual."""

WORDS = {
    "pace": "{value:.1f} sounds a second, usual are {usual:.1f}",
    "hurried": "{value:.0%} of its sounds are too short to be heard, usual are {usual:.0%}",
    "silence": "{value:.2f} s of silence where the text has no pause, usual are {usual:.2f} s",
    "distance": "its sound is far from its text: {value:.2f}, usual is {usual:.2f}",
}

LEAST_SPREAD = {"pace": 0.5, "hurried": 0.03, "silence": 0.04, "distance": 0.02}
"""Differences that mean nothing, for data whose utterances are all alike."""


@dataclass(frozen=True)
class Outlier:
    """How far an utterance is from the others.

    Attributes:
        name: Of the utterance.
        score: In standard deviations of what is usual.
        why: What is farthest.
    """

    name: str
    score: float
    why: str


def rank(utterances: Sequence[Prepared]) -> list[Outlier]:
    """Return an outlier for each utterance, the farthest first; none where there are too few.

    The score is the largest of those of what was measured, each in robust standard deviations
    (1.4826 times the median distance from the median). A pace counts on both sides.
    """
    if len(utterances) < FEW:
        return []
    found = [Outlier(each.name, 0.0, "") for each in utterances]
    for name in utterances[0].measures:
        values = np.array([each.measures[name] for each in utterances])
        usual = float(np.median(values))
        for index, score in enumerate(_scores(values, usual, name)):
            if score > found[index].score:
                why = WORDS[name].format(value=values[index], usual=usual)
                found[index] = Outlier(found[index].name, float(score), why)
    return sorted(found, key=lambda each: (-each.score, each.name))


def _scores(values: NDArray[np.float64], usual: float, name: str) -> NDArray[np.float64]:
    away = values - usual
    spread = max(1.4826 * float(np.median(np.abs(away))), LEAST_SPREAD[name])
    return np.asarray((np.abs(away) if name == "pace" else away) / spread)


def worst(outliers: Sequence[Outlier], share: float) -> list[Outlier]:
    """Return that share of the utterances, one at least if any is asked for."""
    count = max(1, math.floor(share * len(outliers))) if share else 0
    return list(outliers[:count])


def advice_on_outliers(outliers: Sequence[Outlier], dropped: int) -> list[str]:
    """Return a sentence if utterances that are kept are far from the others."""
    far = [each for each in outliers[dropped:] if each.score >= FAR]
    if not far:
        return []
    return [
        f"{len(far):,} of {len(outliers):,} utterances are far from the others, the first is "
        f"`{far[0].name}`: {far[0].why}; listen to the first in the report, and leave out what "
        f"does not fit with `--drop-worst {math.ceil(100 * len(far) / len(outliers))}%`"
    ]


def table_of(dropped: Sequence[Outlier]) -> str:
    """Return a line for each utterance that was dropped: ``ID|score|why``."""
    return "".join(f"{each.name}|{each.score:.2f}|{each.why}\n" for each in dropped)
