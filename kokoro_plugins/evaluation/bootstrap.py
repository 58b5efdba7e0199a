"""How sure a figure is, and the difference of two models: bootstraps over sentences.

Sentences are drawn with replacement, of two models the same ones for both (Koehn, 2004); the
interval is from the 2.5th to the 97.5th percentile of what the draws come to (Efron, 1979).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_plugins.evaluation.measures import Measure, Parts, value_of

DRAWS = 10_000
_AT_ONCE = 500
_PERCENTILES = (2.5, 97.5)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A measure of one model minus that of another on the same sentences.

    Attributes:
        measure: Which.
        mine: Of the first.
        theirs: Of the other.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
        sentences: How many both have it of.
    """

    measure: Measure
    mine: float
    theirs: float
    low: float
    high: float
    sentences: int

    @property
    def difference(self) -> float:
        """The first minus the other."""
        return self.mine - self.theirs

    @property
    def verdict(self) -> str:
        """Whether the first is better or worse; empty if 0 lies within the interval."""
        better = self.measure.better
        if better is None or self.low <= 0 <= self.high:
            return ""
        return "better" if (self.high < 0) == (better == "less") else "worse"

    def as_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "mine": self.mine,
            "theirs": self.theirs,
            "difference": self.difference,
            "interval": [self.low, self.high],
            "sentences": self.sentences,
            "verdict": self.verdict,
        }


def interval(
    sentences: Mapping[str, Parts], measure: str, *, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float] | None:
    """Return the 95 % interval of a measure; None: no sentence has it.

    Args:
        sentences: What each adds to measures, by name.
        measure: Its name.
        seed: Of the draws.
        draws: How many.
    """
    values = _drawn([each[measure] for each in sentences.values() if measure in each], seed, draws)
    return None if values is None else _ends(values)


def paired_difference(
    mine: Mapping[str, Parts],
    theirs: Mapping[str, Parts],
    measure: Measure,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Difference | None:
    """Return the difference of a measure between two models, with its 95 % interval.

    Args:
        mine: What each sentence adds to measures, by name.
        theirs: The same of the other model; sentences that one of them lacks are left out.
        measure: Which.
        seed: Of the draws.
        draws: How many.

    Returns:
        None: No sentence of both has the measure.
    """
    name = measure.name
    both = [each for each in mine if name in mine[each] and name in theirs.get(each, {})]
    first = _drawn([mine[each][name] for each in both], seed, draws)
    second = _drawn([theirs[each][name] for each in both], seed, draws)
    my_value = value_of(name, (mine[each] for each in both))
    their_value = value_of(name, (theirs[each] for each in both))
    if first is None or second is None or my_value is None or their_value is None:
        return None
    low, high = _ends(first - second)
    return Difference(measure, my_value, their_value, low, high, len(both))


def _drawn(parts: list[tuple[float, float]], seed: int, draws: int) -> Values | None:
    """Return a measure over sentences drawn with replacement, as often as there are draws.

    The draws follow from the seed and the number of sentences alone, so they are the same for both
    models of a pair.
    """
    totals, weights = np.array(parts, dtype=np.float64).reshape(-1, 2).T
    if not weights.sum():
        return None
    generator = np.random.default_rng(seed)
    found = []
    for start in range(0, draws, _AT_ONCE):
        rows = min(_AT_ONCE, draws - start)
        drawn = generator.integers(len(parts), size=(rows, len(parts)))
        with np.errstate(invalid="ignore"):  # a draw of sentences without weight says nothing
            found.append(totals[drawn].sum(axis=1) / weights[drawn].sum(axis=1))
    return np.concatenate(found)


def _ends(values: Values) -> tuple[float, float]:
    low, high = np.nanpercentile(values, _PERCENTILES)
    return float(low), float(high)
