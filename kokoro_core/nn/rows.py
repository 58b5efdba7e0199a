"""Rows of a state that are replaced while the others go on: helpers for `replace_rows`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def put_rows(old: Tensor, rows: Tensor, new: Tensor, *, dim: int = 1, fill: float = 0.0) -> Tensor:
    """Return a copy of a tensor with other rows in some places.

    Args:
        old: (B, …).
        rows: (b,) int64, each once.
        new: (b, …), of the same sizes but along `dim`.
        dim: Along which rows may be longer or shorter.
        fill: What stands behind the end of a row that is shorter.

    Returns:
        (B, …), along `dim` as long as the longer of both.
    """
    wanted = max(old.shape[dim], new.shape[dim])
    return _extended(old, dim, wanted, fill).index_copy(0, rows, _extended(new, dim, wanted, fill))


def _extended(x: Tensor, dim: int, wanted: int, fill: float) -> Tensor:
    missing = wanted - x.shape[dim]
    if missing == 0:
        return x
    behind = (0, 0) * (x.dim() - 1 - dim)
    return F.pad(x, (*behind, 0, missing), value=fill)


def steps_of(made: int, behind: Tensor | None, like: Tensor) -> Tensor:
    """Return how many steps each row has made.

    Args:
        made: Steps made by the row that has made most.
        behind: (B,) int64, how many each row has made less; None: all have made as many.
        like: With a row for each.

    Returns:
        (B,) int64.
    """
    if behind is not None:
        return made - behind
    return torch.full((like.shape[0],), made, dtype=torch.int64, device=like.device)


def steps_behind(made: Tensor) -> tuple[int, Tensor | None]:
    """Return the most steps that a row has made, and how many each has made less; None: none has.

    Shape:
        made: (B,) int64. Returns: (B,) int64.
    """
    most = int(made.max())
    behind = most - made
    return most, behind if bool(behind.any()) else None


def rows_at(x: Tensor, steps: Tensor) -> Tensor:
    """Return what stands at steps of each row.

    Shape:
        x: (B, T, C). steps: (B, K) int64. Returns: (B, K, C).
    """
    return x.gather(1, steps.unsqueeze(2).expand(-1, -1, x.shape[2]))
