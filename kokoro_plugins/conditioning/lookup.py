"""`Lookup`: a table of learned vectors."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import Conditioner


@final
class Lookup(Conditioner):
    """Looks up one vector for each row.

    Args:
        feature: The keyword under which the indices come.
        num: How many vectors there are.
        dim: Their width.
    """

    def __init__(self, *, feature: str, num: int, dim: int) -> None:
        super().__init__()
        self._feature = feature
        self.table = nn.Embedding(num, dim)

    def forward(self, *args: Any, **features: Any) -> Tensor:
        """Return the vector of each row's index.

        Shape:
            The feature: (B,) int64. Returns: (B, C).
        """
        found: Tensor = self.table(features[self._feature])
        return found
