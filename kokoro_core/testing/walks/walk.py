"""`Walk`: drive a decoder step by step while its rows are forked, reordered and dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.probes.base import Probe
from kokoro_core.testing.probes.decoders import begin_decoding, teacher_frames


@dataclass(frozen=True)
class Move:
    """One operation on the state of a decoding.

    Attributes:
        kind: ``step`` generates groups of frames; ``fork`` selects rows and continues with the
            copy, ``keep`` with the original. The state that is left behind is fed other frames
            after each step, which corrupts memory that both share.
        groups: Number of groups of frames of a ``step``.
        rows: Rows of the copy, in any order and with repetitions.
    """

    kind: Literal["step", "fork", "keep"] = "step"
    groups: int = 1
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Decoding:
    """A batch, and the operations while it is decoded.

    Attributes:
        batch: The batch.
        moves: In order; frames that remain are generated in one last step.
    """

    batch: RaggedBatch
    moves: tuple[Move, ...] = ()


class Walk:
    """Drives a decoder through teacher frames and compares each step with one parallel pass.

    Args:
        probe: Of an autoregressive decoder.
        batch: The batch to decode.
    """

    def __init__(self, probe: Probe, batch: RaggedBatch) -> None:
        inputs = probe.inputs(batch)
        self.decoder = probe.component
        self.group: int = self.decoder.reduction_factor
        self.whole = probe.run(inputs)
        self.fed = teacher_frames(probe, inputs)
        self.state = begin_decoding(probe, inputs, self.fed.shape[1])
        self.rows = list(range(len(batch.lengths)))
        self.left_behind: list[tuple[Any, list[int]]] = []
        self.made = 0

    @property
    def left(self) -> int:
        """Number of groups that remain."""
        return self.fed.shape[1] // self.group - self.made

    def follow(self, moves: Iterable[Move]) -> None:
        """Make the moves, then generate the frames that remain."""
        for move in moves:
            self.move(move)
        if self.left:
            self.move(Move("step", self.left))

    def move(self, move: Move) -> None:
        """Make one move.

        Raises:
            AssertionError: The frames are not those of one parallel pass.
        """
        if move.kind == "step":
            self._step(min(move.groups, self.left))
        else:
            self._part(move)

    def _step(self, groups: int) -> None:
        if groups == 0:
            return
        first = self.made * self.group
        with torch.no_grad():
            mel, stop_logits = self.decoder.step(self._frames(groups, self.rows), self.state)
            for state, rows in self.left_behind:
                self.decoder.step(1 - self._frames(groups, rows), state)
        self.made += groups
        for name, got in (("mel", mel), ("stop_logits", stop_logits)):
            self._compare(name, got, first)

    def _part(self, move: Move) -> None:
        rows = [row % len(self.rows) for row in move.rows] or [0]
        copy = self.state.select(torch.tensor(rows))
        of_copy = [self.rows[row] for row in rows]
        if move.kind == "keep":
            self.left_behind.append((copy, of_copy))
        else:
            self.left_behind.append((self.state, self.rows))
            self.state, self.rows = copy, of_copy

    def _frames(self, groups: int, rows: list[int]) -> Tensor:
        first = self.made * self.group
        return self.fed[rows][:, first : first + groups * self.group]

    def _compare(self, name: str, got: Tensor, first: int) -> None:
        if name not in self.whole.tensors:  # a decoder without a stop head
            return
        expected = self.whole.tensors[name][self.rows][:, first : first + got.shape[1]]
        valid = ~self.whole.padding_mask[self.rows][:, first : first + got.shape[1]]
        promise = f"`{name}` of frame {first} and on must be the same step by step"
        assert_same(got[:, : valid.shape[1]][valid], expected[valid], promise)


def walk(probe: Probe, data: Decoding) -> Any:
    """Make all moves of a decoding."""
    Walk(probe, data.batch).follow(data.moves)
