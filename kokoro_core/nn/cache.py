"""`KeyValueCache`: the keys and values that attention has seen."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class KeyValueCache:
    """Keys and values of one attention, allocated once.

    Attributes:
        keys: (B, heads, max_len, H/heads).
        values: (B, heads, max_len, H/heads).
    """

    keys: Tensor
    values: Tensor

    @classmethod
    def empty(cls, like: Tensor, *, num_heads: int, head_dim: int, max_len: int) -> KeyValueCache:
        """Return room for `max_len` positions of as many rows as `like` has."""
        shape = (like.shape[0], num_heads, max_len, head_dim)
        return cls(like.new_zeros(shape), like.new_zeros(shape))

    def write(self, keys: Tensor, values: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Store K positions from `start` on, in place, and return all there is up to them.

        Shape:
            keys, values: (B, heads, K, H/heads). Returns: two (B, heads, start + K, H/heads).
        """
        end = start + keys.shape[2]
        self.keys[:, :, start:end] = keys
        self.values[:, :, start:end] = values
        return self.keys[:, :, :end], self.values[:, :, :end]
