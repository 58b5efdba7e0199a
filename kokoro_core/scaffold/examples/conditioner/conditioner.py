"""`ExampleConditioner`."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import Conditioner


@final
class ExampleConditioner(Conditioner):
    """Looks up the vector of the speaker.

    Args:
        num: Speakers.
        dim: Width of a vector (C).
    """

    def __init__(self, *, num: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Embedding(num, dim)

    def forward(self, *args: Any, **features: Any) -> Tensor:
        """Return the vector of each row's speaker.

        Shape:
            speaker: (B,) int64. Returns: (B, C).
        """
        vectors: Tensor = self.table(features["speaker"])
        return vectors
