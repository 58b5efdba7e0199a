"""`Walk`: a decoder led step by step, its state forked, reordered and dropped on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from kokoro_core.nn.shift import shift_right
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.probes.base import Probe


@dataclass(frozen=True)
class Move:
    """What is done next.

    Attributes:
        kind: Make groups of frames; or select rows and go on with the copy (``fork``), or with the
            original (``keep``). What is left behind is fed other frames after each step, so that
            memory that both share is spoilt.
        groups: Groups of frames of a ``step``.
        rows: Rows that a copy has, any number of times and in any order.
    """

    kind: Literal["step", "fork", "keep"] = "step"
    groups: int = 1
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Decoding:
    """A batch, and what is done on the way.

    Attributes:
        batch: What is decoded.
        moves: In their order; what they leave of the batch is made in one last step.
    """

    batch: RaggedBatch
    moves: tuple[Move, ...] = ()


class Walk:
    """Leads a decoder through teacher frames and compares each step with one parallel pass.

    Args:
        probe: Of an autoregressive decoder.
        batch: What it decodes.
    """

    def __init__(self, probe: Probe, batch: RaggedBatch) -> None:
        inputs = probe.inputs(batch)
        memory, memory_padding = inputs.tensors["memory"], inputs.padding["memory"]
        mel_padding = inputs.padding["mel_specs"]
        self.decoder = probe.component
        self.group: int = self.decoder.reduction_factor
        self.whole = probe.run(inputs)
        clean = zero_padding(inputs.tensors["mel_specs"], mel_padding)
        self.fed = shift_right(clean, self.group)
        side = probe.side_inputs(inputs, mel_padding)
        self.state = self.decoder.init_state(memory, memory_padding, self.fed.shape[1], **side)
        self.rows = list(range(len(batch.lengths)))
        self.left_behind: list[tuple[Any, list[int]]] = []
        self.made = 0

    @property
    def left(self) -> int:
        """Groups that are not made yet."""
        return self.fed.shape[1] // self.group - self.made

    def follow(self, moves: Iterable[Move]) -> None:
        """Make the moves, then what is left."""
        for move in moves:
            self.move(move)
        if self.left:
            self.move(Move("step", self.left))

    def move(self, move: Move) -> None:
        """Make one move.

        Raises:
            AssertionError: What was made is not what one parallel pass made.
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
        expected = self.whole.tensors[name][self.rows][:, first : first + got.shape[1]]
        valid = ~self.whole.padding_mask[self.rows][:, first : first + got.shape[1]]
        promise = f"`{name}` of frame {first} and on must be the same step by step"
        assert_same(got[:, : valid.shape[1]][valid], expected[valid], promise)


def walk(probe: Probe, data: Decoding) -> Any:
    """Follow all moves of a decoding."""
    Walk(probe, data.batch).follow(data.moves)
