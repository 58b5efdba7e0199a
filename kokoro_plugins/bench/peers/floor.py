"""The floor: reading once what a frame cannot be made without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, final

import torch
from torch import Tensor

from kokoro_plugins.bench.peers.contract import FrameMaker
from kokoro_plugins.bench.sizes import ModelSize

Layout = Literal["rows", "columns", "packed"]


FULL_SPEED = 4
"""Fewest rows for which oneDNN's kernel for small products reads at full speed."""


@final
class Floor(FrameMaker):
    """A product with a vector for each weight matrix and each cache, and nothing else.

    For more rows than one the weights are multiplied with a matrix of so many columns, and there
    are as many caches.

    Args:
        size: The size of the decoder.
        dtype: The type of weights and caches.
        layout: How a matrix lies in memory: by rows, as `nn.Linear` has it, by columns, or packed
            for oneDNN (on a CPU; caches by columns). Which one is read fastest depends on the
            libraries that torch is built with.
        device: Where they are.
    """

    def __init__(
        self,
        size: ModelSize,
        dtype: torch.dtype = torch.float32,
        layout: Layout = "rows",
        device: str = "cpu",
    ) -> None:
        kind = "" if dtype is torch.float32 else f", {str(dtype).rpartition('.')[2]}"
        self.name = f"floor, {layout}{kind}"
        self._size = size
        self._like = torch.empty(0, dtype=dtype, device=device)
        self._layout = layout
        self._weights = [self._matrix(*shape) for shape in size.step_matrices()]

    def _matrix(self, rows: int, columns: int) -> Tensor:
        if self._layout == "rows":
            return self._random(rows, columns)
        return self._random(columns, rows).t()

    def _random(self, *shape: int) -> Tensor:
        return self._like.new_empty(shape).normal_()

    def begin(self, *, rows: int, frames: int) -> None:
        """Make caches of `frames` frames and as much memory for each row."""
        width = self._size.hidden_dim
        count = 2 * self._size.num_layers * rows
        caches = [self._matrix(frames, width) for _ in range(2 * count)]
        vectors = {each.shape[1]: self._vectors(each.shape[1], rows) for each in self._weights}
        one = self._random(width)
        self._read = [*self._weights, *caches]
        self._work = [self._product(each, vectors[each.shape[1]]) for each in self._weights]
        self._work += [partial(torch.matmul, each, one) for each in caches]
        self._result = self._like.new_zeros(rows, 1, self._size.mel_dim)

    def _vectors(self, length: int, rows: int) -> Tensor:
        return self._random(length) if rows == 1 else self._random(length, rows)

    def _product(self, matrix: Tensor, vectors: Tensor) -> Callable[[], Tensor]:
        if self._layout != "packed":
            return partial(torch.matmul, matrix, vectors)
        rows = vectors.reshape(matrix.shape[1], -1).t().contiguous()
        if rows.shape[0] < FULL_SPEED:
            rows = rows[:1].expand(FULL_SPEED, -1).contiguous()
        packed = torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous(), len(rows))
        return partial(torch.ops.mkldnn._linear_pointwise, rows, packed, None, "none", [], "")

    def rewind(self) -> None:
        """Do nothing: each step reads the same."""

    def step(self) -> Tensor:
        """Read everything once."""
        for product in self._work:
            product()
        return self._result

    def read_bytes(self) -> int:
        """Return the bytes that a step reads."""
        return sum(matrix.numel() * matrix.element_size() for matrix in self._read)
