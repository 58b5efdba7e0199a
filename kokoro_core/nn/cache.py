"""`KeyValueCache`: the keys and values that attention has seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
"""Positions by which a cache grows, or an eighth of what it has if that is more.

Copying then costs about as much as reading the free capacity, at any length."""


@dataclass
class KeyValueCache:
    """Keys and values of one attention, growing in blocks.

    Attention reads the whole of it, and a mask leaves out what is not written yet: matrix products
    over a part of a larger tensor take 1.4 to 3.4 times as long (docs/generation.md).

    Attributes:
        keys: (B, heads, capacity, H/heads), 0 where nothing is written.
        values: (B, heads, capacity, H/heads), 0 where nothing is written.
        max_len: The most positions that it may hold.
    """

    keys: Tensor
    values: Tensor
    max_len: int

    @classmethod
    def empty(cls, like: Tensor, *, num_heads: int, head_dim: int, max_len: int) -> KeyValueCache:
        """Return a cache of up to `max_len` positions of as many rows as `like` has."""
        # A graph that is exported makes steps of one form, so nothing grows in it.
        capacity = max_len if torch.compiler.is_exporting() else min(max_len, BLOCK)
        shape = (like.shape[0], num_heads, capacity, head_dim)
        return cls(like.new_zeros(shape), like.new_zeros(shape), max_len)

    @classmethod
    def full(cls, keys: Tensor, values: Tensor) -> KeyValueCache:
        """Return a cache of keys and values to which nothing will be added.

        Shape:
            keys, values: (B, heads, T, H/heads).
        """
        return cls(keys.contiguous(), values.contiguous(), keys.shape[2])

    def capacity_for(self, num: int) -> int:
        """Return the capacity once there are `num` positions."""
        capacity = self.keys.shape[2]
        if num <= capacity:
            return capacity
        blocks = -(-max(num, capacity + capacity // 8) // BLOCK)
        return min(self.max_len, blocks * BLOCK)

    def write(
        self, keys: Tensor, values: Tensor, start: int, at: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Store K positions from `start` on, in place, and return the whole tensors.

        Args:
            keys: (B, heads, K, H/heads).
            values: As `keys`.
            start: Positions so far, of the row that has most.
            at: (B, K) int64, where each row's positions go if some rows have fewer; None: all from
                `start` on.

        Returns:
            Two (B, heads, capacity_for(start + K), H/heads).

        Raises:
            ValueError: There would be more than `max_len` positions.
        """
        end = start + keys.shape[2]
        if end > self.keys.shape[2]:
            self._grow(end)
        if at is None:
            # Half the time of an assignment to a slice.
            self.keys.narrow(2, start, keys.shape[2]).copy_(keys)
            self.values.narrow(2, start, keys.shape[2]).copy_(values)
        else:
            # (B, K) -> (B, heads, K, H/heads)
            places = at[:, None, :, None].expand_as(keys)
            self.keys.scatter_(2, places, keys)
            self.values.scatter_(2, places, values)
        return self.keys, self.values

    def put_rows(self, rows: Tensor, begun: KeyValueCache) -> None:
        """Put the rows of another cache in the place of some; behind their end they are 0.

        Args:
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        self.max_len = max(self.max_len, begun.max_len)
        capacity = begun.keys.shape[2]
        if capacity > self.keys.shape[2]:
            self.keys = _with_capacity(self.keys, capacity)
            self.values = _with_capacity(self.values, capacity)
        for own, other in ((self.keys, begun.keys), (self.values, begun.values)):
            # What the row before left there may not be finite, and 0 times it is NaN.
            own.index_fill_(0, rows, 0)
            own[:, :, :capacity].index_copy_(0, rows, other)

    def shorten(self, num: int) -> None:
        """Give back memory that is not needed for `num` positions, if it is half or more."""
        wanted = -(-num // BLOCK) * BLOCK
        if self.keys.shape[2] >= 2 * wanted:
            self.keys = self.keys[:, :, :wanted].contiguous()
            self.values = self.values[:, :, :wanted].contiguous()

    def _grow(self, end: int) -> None:
        if end > self.max_len:
            raise ValueError(
                f"A `KeyValueCache` of `max_len` {self.max_len} cannot hold {end} positions; "
                f"give `empty` a larger `max_len`."
            )
        capacity = self.capacity_for(end)
        self.keys, self.values = (
            _with_capacity(self.keys, capacity),
            _with_capacity(self.values, capacity),
        )


def _with_capacity(old: Tensor, capacity: int) -> Tensor:
    """Return a larger tensor that begins with the positions of the old one."""
    new = old.new_zeros((*old.shape[:2], capacity, old.shape[3]))
    new[:, :, : old.shape[2]] = old
    return new
