"""The floor: reading once what a frame cannot be made without."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor

from kokoro_plugins.bench.peers.contract import FrameMaker
from kokoro_plugins.bench.sizes import ModelSize

Layout = Literal["rows", "columns"]


@final
class Floor(FrameMaker):
    """A product with a vector for each weight matrix and each cache, and nothing else.

    For more rows than one the weights are multiplied with a matrix of so many columns, and there
    are as many caches.

    Args:
        size: The size of the decoder.
        dtype: The type of weights and caches.
        layout: How a matrix lies in memory: by rows, as `nn.Linear` has it, or by columns. Which
            one is read faster depends on the library that torch is built with.
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
        self._columns = layout == "columns"
        self._weights = [self._matrix(*shape) for shape in size.step_matrices()]

    def _matrix(self, rows: int, columns: int) -> Tensor:
        return self._random(columns, rows).t() if self._columns else self._random(rows, columns)

    def _random(self, *shape: int) -> Tensor:
        return self._like.new_empty(shape).normal_()

    def begin(self, *, rows: int, frames: int) -> None:
        """Make caches of `frames` frames and as much memory for each row."""
        width = self._size.hidden_dim
        count = 2 * self._size.num_layers * rows
        caches = [self._random(frames, width) for _ in range(2 * count)]
        vectors = {each.shape[1]: self._vectors(each.shape[1], rows) for each in self._weights}
        one = self._random(width)
        self._work = [(each, vectors[each.shape[1]]) for each in self._weights]
        self._work += [(each, one) for each in caches]
        self._result = self._like.new_zeros(rows, 1, self._size.mel_dim)

    def _vectors(self, length: int, rows: int) -> Tensor:
        return self._random(length) if rows == 1 else self._random(length, rows)

    def rewind(self) -> None:
        """Do nothing: each step reads the same."""

    def step(self) -> Tensor:
        """Read everything once."""
        for matrix, vector in self._work:
            torch.matmul(matrix, vector)
        return self._result

    def read_bytes(self) -> int:
        """Return the bytes that a step reads."""
        return sum(matrix.numel() * matrix.element_size() for matrix, _ in self._work)
