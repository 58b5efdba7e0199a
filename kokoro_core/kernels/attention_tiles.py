"""How attention in blocks is cut: which queries, heads and keys at a time, and in which memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kokoro_core.kernels import cpu
from kokoro_core.tensors.masks import add_bias, causal_mask

CAUSAL_QUERIES = 112
"""Queries of a causal block, about: the smaller, the fewer keys to its right are computed."""
UNEVEN = 1.25
"""How many times the keys that rows may see they may have together where they share a block."""


@dataclass(frozen=True)
class Block:
    """What is computed at a time.

    Attributes:
        rows: Of the batch.
        heads: Of the heads of these rows, counted through: all, or some of a single row.
        queries: Of each head.
        num_keys: Keys, from the first.
    """

    rows: slice
    heads: slice
    queries: slice
    num_keys: int


@dataclass(frozen=True)
class TilePlan:
    """The blocks of a call, and what is added to their scores.

    Attributes:
        shape: (B, heads, Tq, Tk).
        ends: Keys of each row, from the first, that a query may see.
        most: Weights of a block, at most.
        bias: Broadcast to `shape`, or None where `ends` and causality say it all.
        hidden: Added to the last square of a causal block, or None: every query may see every key.
    """

    shape: tuple[int, int, int, int]
    ends: list[int]
    most: int
    bias: Tensor | None
    hidden: Tensor | None

    @classmethod
    def of(
        cls, queries: Tensor, keys: Tensor, mask: Tensor | None, is_causal: bool, cache: int
    ) -> TilePlan:
        """Find out which keys can be left out; a block has weights of `cache` bytes, at most."""
        dtype = arithmetic(queries.dtype)
        rows, heads, num_queries, _ = queries.shape
        num_keys = keys.shape[2]
        ends = _ends(mask, rows, num_keys)
        if ends is not None:
            mask = None
        bias = mask if mask is None else add_bias(mask, queries.new_zeros((), dtype=dtype))
        shape = (rows, heads, num_queries, num_keys)
        return cls(
            shape=shape,
            ends=ends or [num_keys] * rows,
            most=max(1, cache // dtype.itemsize),
            bias=None if bias is None else bias.expand(shape),
            hidden=_hidden(num_queries, dtype) if is_causal else None,
        )

    def groups(self) -> Iterator[slice]:
        """Put short rows together whose weights, for a piece of the queries, are half a block.

        For short rows what has to be done for each block costs more than the products.
        """
        rows, first = self.shape[0], 0
        while first < rows:
            last = first + 1
            while last < rows and self._fit_together(slice(first, last + 1)):
                last += 1
            yield slice(first, last)
            first = last

    def _fit_together(self, rows: slice) -> bool:
        ends = self.ends[rows]
        together = len(ends) * max(ends)
        weights = together * self.shape[1] * -(-self.shape[2] // self._pieces())
        even = min(ends) > 0 and together <= UNEVEN * sum(ends)
        return self.bias is None and even and weights <= self.most // 2

    def _pieces(self) -> int:
        """Return into how many pieces the queries are cut."""
        _, _, num_queries, num_keys = self.shape
        most = self.most // (2 * max(num_keys, 1)) or 1
        pieces = max(1, -(-num_queries // most))
        return pieces if self.hidden is None else max(pieces, round(num_queries / CAUSAL_QUERIES))

    def blocks(self, rows: slice) -> Iterator[Block]:
        """Cut what `groups` has put together into blocks."""
        heads, num_queries = (rows.stop - rows.start) * self.shape[1], self.shape[2]
        pieces, keys = self._pieces(), max(self.ends[rows])
        for piece in range(pieces):
            first, last = (num_queries * each // pieces for each in (piece, piece + 1))
            end = keys if self.hidden is None else min(keys, last)
            parts = -(-heads // max(1, self.most // max((last - first) * end, 1)))
            for part in range(parts):
                cut = slice(heads * part // parts, heads * (part + 1) // parts)
                yield Block(rows, cut, slice(first, last), end)

    def weights(self, block: Block, queries: Tensor, keys: Tensor, into: Tensor) -> Tensor:
        """Write the attention weights of a block; `queries` are scaled already.

        Shape:
            queries: (rows heads, Tq, H/heads). keys: (rows heads, Tk, H/heads).
            into: (heads, queries, keys) of the block. Returns: into.
        """
        seen = keys[block.heads, : block.num_keys]
        torch.bmm(queries[block.heads, block.queries], seen.transpose(1, 2), out=into)
        bias = None
        if self.bias is not None:
            bias = self.bias[block.rows.start, block.heads, block.queries, : block.num_keys]
            into += bias
        if self.hidden is not None and block.queries.start < block.num_keys:
            square = into[:, :, block.queries.start :]
            square += self.hidden[: square.shape[1], : square.shape[2]]
        self.blank(block.rows, into.transpose(1, 2), -math.inf)
        torch._softmax(into, -1, False, out=into)
        return into if bias is None else _without_blind(into, bias)

    def blank(self, rows: slice, x: Tensor, value: float) -> None:
        """Write a value past the end of each of several rows; a single row ends where a block does.

        Shape:
            x: (rows heads, keys, ·).
        """
        heads = self.shape[1]
        if rows.stop - rows.start > 1:
            for row, end in enumerate(self.ends[rows]):
                x[row * heads : (row + 1) * heads, end:] = value


def _without_blind(weights: Tensor, bias: Tensor) -> Tensor:
    """Set to 0 the weights of queries from which a bias hides every key; their softmax is NaN.

    Shape:
        weights, bias: (heads, queries, keys) of a block. Returns: weights.
    """
    # Such a query has NaN at every key, so that it takes no time to see that there is none.
    if bool(weights[:, :, :1].isnan().any()):
        weights.masked_fill_(bias.amax(-1, keepdim=True) == -math.inf, 0)
    return weights


def _hidden(num_queries: int, dtype: torch.dtype) -> Tensor:
    """Return -inf where a key comes after a query and 0 elsewhere, for the first few of both."""
    longest = CAUSAL_QUERIES * 3 // 2  # half again as long as a piece is meant to be
    positions = torch.arange(min(num_queries, longest))
    seen = causal_mask(positions, positions)
    return torch.where(seen, 0.0, -torch.inf).to(dtype)


def _ends(mask: Tensor | None, rows: int, num_keys: int) -> list[int] | None:
    """Return each row's number of keys if a mask hides just those past it, else None."""
    if mask is None or mask.dtype is not torch.bool or mask.shape[:3] != (rows, 1, 1):
        return None
    # (B, 1, 1, Tk) -> (B, Tk)
    seen = mask[:, 0, 0]
    ends = seen.sum(1)
    if not torch.equal(seen, torch.arange(num_keys) < ends.unsqueeze(1)):
        return None
    found: list[int] = ends.tolist()
    return found


def arithmetic(dtype: torch.dtype) -> torch.dtype:
    """Return what blocks of a type are computed in: float32 for bfloat16 without fast products.

    torch's own product of bfloat16 takes several times as long as that of float32, and what goes
    into blocks is copied anyway.
    """
    emulated = dtype is torch.bfloat16 and not cpu.processor().bfloat16_products
    return torch.float32 if emulated else dtype


class Workspace:
    """Memory that each block of a call uses again, so that it stays in the processor's cache."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return memory for a tensor of this shape; what it held under this name is lost."""
        num, held = math.prod(shape), self._held.get(name)
        if held is None or held.numel() < num:
            held = self._held[name] = torch.empty(num, dtype=self._dtype)
        return held[:num].view(shape)

    def weights_of(self, block: Block, name: str) -> Tensor:
        """Return memory for as many weights as a block has."""
        heads, queries = (part.stop - part.start for part in (block.heads, block.queries))
        return self.take(name, (heads, queries, block.num_keys))

    def dense(self, name: str, x: Tensor, scale: float) -> Tensor:
        """Return a scaled copy without gaps between vectors, with which products take less time.

        Shape:
            x: (rows, heads, T, H/heads). Returns: (rows heads, T, H/heads).
        """
        # In one pass it takes three times as long: it would read x in the order of the copy.
        into = self.take(name, tuple(x.shape)).copy_(x).flatten(0, 1)
        return into if scale == 1 else into.mul_(scale)
