"""`Repeats`: which rows of a few vectors a tensor is made of, where its maker says so.

What is computed of each vector alone can then be computed once a phoneme instead of once a frame.
The note hangs on the tensor itself: whatever is made of that tensor, by an adaptor for example,
has none, and is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NAME = "_kokoro_repeats"


@dataclass(frozen=True)
class Repeats:
    """Rows of a table, one for each place of a sequence.

    Attributes:
        table: (R, C).
        index: (B, T) int64; None: the first row stands at the first place of every sequence, the
            second at the second, and so on.
    """

    table: Tensor
    index: Tensor | None = None


def note_repeats(x: Tensor, table: Tensor, index: Tensor) -> Tensor:
    """Note that `x` is ``table[index]``, and return it; within a graph nothing is noted.

    Gradients may then go to the table past `x`. Nothing is noted of a tensor of inference mode
    either: it does not count how often it is written to.

    Shape:
        x: (B, T, C). table: (R, C). index: (B, T) int64. Returns: x.
    """
    if not torch.compiler.is_compiling() and not x.is_inference():
        setattr(x, _NAME, (Repeats(table, index), x._version))
    return x


def repeats_of(x: Tensor) -> Repeats | None:
    """Return what was noted of a tensor, unless it has been written to since."""
    if torch.compiler.is_compiling():
        return None
    found: Repeats | None
    found, version = getattr(x, _NAME, (None, 0))
    return found if found is not None and x._version == version else None
