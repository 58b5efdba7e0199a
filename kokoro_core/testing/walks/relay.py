"""`Relay`: rows that end make place for others, while their neighbours go on."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch

from kokoro_core.testing.data import strategies
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.probes.base import Probe
from kokoro_core.testing.probes.decoders import begin_decoding, teacher_frames

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Relay:
    """Rows of which some are decoded at the same time, and the others when there is place.

    Attributes:
        batch: All rows.
        places: The most that are decoded at the same time.
        groups: Groups of each step, over and over; less where a row ends.
    """

    batch: RaggedBatch
    places: int = 2
    groups: tuple[int, ...] = (1,)


@final
class RelayWalk:
    """Decodes all rows, and compares each step with one parallel pass.

    The last group of a row that makes place is fed NaN, which must leave with that row.

    Args:
        probe: Of an autoregressive decoder that replaces rows.
        data: What is decoded.
    """

    def __init__(self, probe: Probe, data: Relay) -> None:
        self._probe = probe
        self._decoder: Any = probe.component
        self._inputs = probe.inputs(data.batch)
        self._whole = probe.run(self._inputs)
        self._fed = teacher_frames(probe, self._inputs)
        r = self._decoder.reduction_factor
        self._groups: list[int] = [-(-length // r) for length in data.batch.lengths]
        rows = list(range(len(self._groups)))
        self._rows, self._waiting = rows[: data.places], rows[data.places :]
        self._made = [0] * len(rows)
        self._steps = itertools.cycle(data.groups)
        self._state = self._begin(self._rows)

    def run(self) -> None:
        """Decode all rows.

        Raises:
            AssertionError: A row does not go on as it does alone.
        """
        while self._rows:
            self._step(min(next(self._steps), *map(self._left, self._rows)))
            over = [place for place, row in enumerate(self._rows) if not self._left(row)]
            self._replace(over[: len(self._waiting)])
            going = [place for place, row in enumerate(self._rows) if self._left(row)]
            if going and len(going) < len(self._rows):
                self._state = self._state.select(torch.tensor(going))
            self._rows = [self._rows[place] for place in going]

    def _left(self, row: int) -> int:
        return self._groups[row] - self._made[row]

    def _begin(self, rows: list[int]) -> Any:
        """Return the state of rows before their first frame, with room for the longest."""
        chosen = self._inputs.row(rows[0]) if len(rows) == 1 else self._inputs.select(rows)
        room: int = max(self._groups[row] for row in rows) * self._decoder.reduction_factor
        return begin_decoding(self._probe, chosen, room)

    def _replace(self, places: list[int]) -> None:
        if not places:
            return
        begun, self._waiting = self._waiting[: len(places)], self._waiting[len(places) :]
        rows = torch.tensor(places)
        with torch.no_grad():
            self._state = self._decoder.replace_rows(self._state, rows, self._begin(begun))
        for place, row in zip(places, begun, strict=True):
            self._rows[place] = row

    def _step(self, groups: int) -> None:
        r = self._decoder.reduction_factor
        frames, compared = [], list[int]()
        for row in self._rows:
            span = slice(self._made[row] * r, (self._made[row] + groups) * r)
            fed = self._fed[row, span].clone()
            is_last = self._left(row) == groups and bool(self._waiting)
            if is_last:
                fed[-r:] = math.nan
            frames.append(fed)
            compared.append(0 if is_last else groups * r)
        with torch.no_grad():
            made = self._decoder.step(torch.stack(frames), self._state)
        for name, got in zip(("mel", "stop_logits"), made, strict=True):
            for place, row in enumerate(self._rows):
                self._compare(name, got[place, : compared[place]], row)
        for row in self._rows:
            self._made[row] += groups

    def _compare(self, name: str, got: torch.Tensor, row: int) -> None:
        if name not in self._whole.tensors:  # a decoder without a stop head
            return
        first = self._made[row] * self._decoder.reduction_factor
        span = slice(first, first + len(got))
        valid = ~self._whole.padding_mask[row, span]
        promise = f"`{name}` of frame {first} and on of row {row} must be the same in a relay"
        assert_same(got[: len(valid)][valid], self._whole.tensors[name][row, span][valid], promise)


def _drawn() -> SearchStrategy[Relay]:
    from hypothesis import strategies as st

    groups = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
    return st.builds(Relay, strategies.ragged_batches(max_length=7), st.integers(1, 3), groups)


RELAYS = Cases(
    Relay,
    (
        Relay(RaggedBatch((3, 5)), places=1),
        Relay(RaggedBatch((5, 3)), places=1),
        Relay(RaggedBatch((2, 6, 4))),
        Relay(RaggedBatch((2, 7, 9, 3, 5, 1)), places=3),
        Relay(RaggedBatch((3, 3, 8, 6, 4), extra=1)),
        Relay(RaggedBatch((4, 9, 3, 6, 12)), groups=(2, 1, 3)),
        Relay(RaggedBatch((3, 70, 2, 66)), groups=(3,)),
    ),
    _drawn,
)
