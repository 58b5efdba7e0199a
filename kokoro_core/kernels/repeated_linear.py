"""A linear layer over sums of rows of tables: one product a row instead of one a sum.

``W (h[i] + p[j]) + b = (W h + b)[i] + (W p)[j]``: where a frame's vector is that of its phoneme and
that of its position, there are as many products as phonemes and positions, not as many as frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels.choice import by_reference
from kokoro_core.kernels.introspection import is_unmodified_linear
from kokoro_core.kernels.linear import linear
from kokoro_core.tensors.repeats import Repeats


def prefer_repeated(layers: Iterable[nn.Module], parts: Sequence[Repeats], vectors: int) -> bool:
    """Return whether layers multiply less often with the tables than with so many sums.

    A layer that somebody watches or has changed is given the sums.
    """
    rows = sum(len(each.table) for each in parts)
    return rows < vectors and not by_reference() and all(map(is_unmodified_linear, layers))


def repeated_linear(layer: nn.Linear, parts: Sequence[Repeats]) -> Tensor:
    """Return what a layer makes of the sums of rows; the first part has an index.

    Shape:
        Returns: (B, T, out).
    """
    first, *others = parts
    result = _placed(Repeats(layer(first.table), first.index))
    for each in others:
        # In place: nothing has kept the result for its gradient.
        result += _placed(Repeats(linear(each.table, layer.weight), each.index))
    return result


def _placed(part: Repeats) -> Tensor:
    return part.table if part.index is None else F.embedding(part.index, part.table)
