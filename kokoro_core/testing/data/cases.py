"""The data that checks are tried on: corner cases, and a strategy that draws more.

All data is structure that fits on a line of JSON, and numbers follow from seeds, so that a failure
can be printed and reproduced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter

from kokoro_core.testing.data import strategies
from kokoro_core.testing.data.batches import CORNERS, RaggedBatch

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Data = TypeVar("Data")


@dataclass(frozen=True)
class Nothing:
    """No data: the check asks one question."""


@dataclass(frozen=True)
class DurationRows:
    """Durations of each row, and how many frames wider than needed the plan is.

    Attributes:
        rows: For each row the frames of its phonemes.
        extra: Frames beyond the longest row, or None to let the regulator determine the width.
        seed: Of the vectors.
    """

    rows: tuple[tuple[int, ...], ...]
    extra: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class PositionCase:
    """A sequence of positions, and the position from which its second part starts.

    Attributes:
        length: Positions.
        start: First position of the second part.
        seed: Of the vectors.
    """

    length: int
    start: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Cases(Generic[Data]):
    """Data of one kind.

    Attributes:
        kind: The class of the data.
        corners: Corner cases that drawing may miss, always tried first.
        drawn: Returns the strategy that draws more, or None if the corner cases are exhaustive.
    """

    kind: type[Data]
    corners: tuple[Data, ...]
    drawn: Callable[[], SearchStrategy[Data]] | None = None

    def of(self, *corners: Data) -> Cases[Data]:
        """Return cases of the same kind with only these corner cases."""
        return Cases(self.kind, corners)

    def to_json(self, data: Data) -> str:
        """Write data on one line."""
        return TypeAdapter(self.kind).dump_json(data).decode()

    def from_json(self, text: str) -> Data:
        """Read data that `to_json` wrote.

        Raises:
            ValidationError: It is not of this kind.
        """
        read: Data = TypeAdapter(self.kind).validate_json(text)
        return read


def _duration_rows() -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    rows = strategies.durations().map(lambda drawn: tuple(tuple(row) for row in drawn))
    return st.builds(DurationRows, rows, st.none() | st.integers(0, 3), st.integers(0, 2**16))


def _positions() -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    return st.integers(1, 60).flatmap(
        lambda length: st.builds(
            PositionCase, st.just(length), st.integers(0, length - 1), st.integers(0, 2**16)
        )
    )


ONCE = Cases(Nothing, (Nothing(),))

BATCHES = Cases(RaggedBatch, CORNERS, strategies.ragged_batches)

ONE_BATCH = Cases(RaggedBatch, (RaggedBatch((5, 9, 1, 4), extra=2, seed=3),))
"""For properties that do not depend on the structure: rows of different lengths, some padding."""

DURATIONS = Cases(
    DurationRows,
    (
        DurationRows(((1,),)),
        DurationRows(((3,),), extra=2),
        DurationRows(((2, 1), (1, 2))),
        DurationRows(((1,), (0, 0, 1)), extra=0),
        DurationRows(((2, 0, 1, 0), (0, 4, 0), (1, 1, 1, 1)), extra=1),
    ),
    _duration_rows,
)

POSITIONS = Cases(
    PositionCase,
    (PositionCase(1), PositionCase(2, 1), PositionCase(9, 4), PositionCase(60, 59)),
    _positions,
)
