"""The floor in parts: what a frame cannot be made without, read by all threads at once."""

from __future__ import annotations

from functools import partial
from typing import final

import torch
from torch import Tensor

from kokoro_core.kernels.huge_pages import copy_to_huge_pages
from kokoro_core.kernels.split_linear import parts_for
from kokoro_plugins.bench.peers.contract import FrameMaker
from kokoro_plugins.bench.sizes import ModelSize


@final
class SplitFloor(FrameMaker):
    """A product with a vector for each weight matrix and each cache, a part of it for each thread.

    Everything lies in huge pages, wide matrices by columns, as the weights lie from which we
    generate one row with AVX2 alone. On a CPU, in float32.

    Args:
        size: The size of the decoder.
    """

    name = "floor, split"

    def __init__(self, size: ModelSize) -> None:
        self._size = size

    def begin(self, *, rows: int, frames: int) -> None:
        """Make weights, and caches of `frames` frames and as much memory for each row."""
        width = self._size.hidden_dim
        weights = [_in_parts(*shape) for shape in self._size.step_matrices()]
        caches = [_in_parts(frames, width) for _ in range(4 * self._size.num_layers * rows)]
        self._read = copy_to_huge_pages([*weights, *caches])
        given = [rows] * len(weights) + [1] * len(caches)
        self._work = [
            partial(torch.bmm, torch.randn(1, num, each.shape[1]).expand(len(each), -1, -1), each)
            for each, num in zip(self._read, given, strict=True)
        ]
        self._result = torch.zeros(rows, 1, self._size.mel_dim)

    def rewind(self) -> None:
        """Do nothing: each step reads the same."""

    def step(self) -> Tensor:
        """Read everything once."""
        for product in self._work:
            product()
        return self._result

    def read_bytes(self) -> int:
        """Return the bytes that a step reads."""
        return sum(each.numel() * each.element_size() for each in self._read)


def _in_parts(outputs: int, inputs: int) -> Tensor:
    """Return a random matrix (parts, inputs, outputs/parts), each part by its longer side."""
    parts = parts_for(outputs, torch.get_num_threads())
    if outputs >= inputs:
        return torch.randn(parts, inputs, outputs // parts)
    return torch.randn(parts, outputs // parts, inputs).transpose(1, 2)
