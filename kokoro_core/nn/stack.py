"""`CheckpointedStack`: layers in a row, recomputed in segments where memory is short."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeVar, final

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from kokoro_core.nn.recomputing import Replay

Passed = TypeVar("Passed")
"""What a layer takes and gives: a tensor, or several."""


@final
class CheckpointedStack(nn.ModuleList):
    """Runs layers one after the other, each on the result of the one before.

    In training a stack with `segments` keeps only what enters each segment and computes the rest
    again in the backward pass (Chen et al., 2016), dropout masks included. What a layer writes
    then, such as running statistics, is written once; its buffers are copied for that. At most one
    segment a layer is of use; more are taken as one a layer.

    Attributes:
        segments: Number of segments, or None to keep everything.
        keeps_last: Whether the last segment is kept. The backward pass begins with it, so in the
            last stack of a model recomputing it takes time and saves nothing; in a stack before
            that, what is kept is there while all later stacks are passed.
    """

    segments: int | None = None
    keeps_last: bool = False

    def forward(self, x: Passed, *args: Any) -> Passed:
        """Run all layers; the other arguments go to each of them.

        Shape:
            x: as the layers take and give it.
        """
        if self.segments is None or not (self.training and torch.is_grad_enabled()):
            return self._run(0, len(self), x, *args)
        *bounds, end = self.bounds() or [(0, 0)]
        if not self.keeps_last:
            bounds.append(end)
        for first, last in bounds:
            x = self._recomputed(first, last, x, *args)
        return self._run(*end, x, *args) if self.keeps_last else x

    def _recomputed(self, first: int, last: int, x: Passed, *args: Any) -> Passed:
        """Run a segment of which the backward pass computes everything again."""
        if torch.compiler.is_compiling():  # a graph writes a buffer once, whatever it recomputes
            result: Passed = checkpoint(self._run, first, last, x, *args, use_reentrant=False)
            return result
        replay = Replay(self[index] for index in range(first, last))

        def run(x: Passed, *args: Any) -> Passed:
            with replay.turn():
                return self._run(first, last, x, *args)

        result = checkpoint(run, x, *args, use_reentrant=False)
        return result

    def bounds(self) -> list[tuple[int, int]]:
        """Return the first layer of each segment and the one after its last."""
        count = min(self.segments or 1, len(self))
        cuts = [index * len(self) // count for index in range(count + 1)] if count else []
        return list(pairwise(cuts))

    def _run(self, first: int, last: int, x: Passed, *args: Any) -> Passed:
        for index in range(first, last):
            x = self[index](x, *args)
        return x
