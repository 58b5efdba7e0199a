"""`PlaceEmbedding`: tells a frame where inside its phoneme it lies."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.tensors.durations import place_in_phoneme
from kokoro_core.tensors.repeats import Repeats


@final
class PlaceEmbedding(nn.Module):
    """Two learned embeddings: frames since the phoneme began and frames left in it.

    An expanded memory repeats one vector for all frames of a phoneme; without this a decoder must
    find out from its own output how far it has come. The frames of a phoneme that are farther from
    its start or end than the last embedding share that one.

    Args:
        hidden_dim: Width (H).
        size: Embeddings in each table.
    """

    def __init__(self, *, hidden_dim: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.since_start = nn.Embedding(size, hidden_dim)
        self.until_end = nn.Embedding(size, hidden_dim)

    def forward(self, durations: Tensor, num_frames: int) -> Tensor:
        """Embed the place of every frame.

        Shape:
            durations: (B, N) int64. Returns: (B, T, H).
        """
        since, left = self._indices(durations, num_frames)
        result: Tensor = self.since_start(since) + self.until_end(left)
        return result

    def parts(self, durations: Tensor, num_frames: int) -> list[Repeats]:
        """Return the rows of both tables whose sums `forward` returns."""
        since, left = self._indices(durations, num_frames)
        return [Repeats(self.since_start.weight, since), Repeats(self.until_end.weight, left)]

    def _indices(self, durations: Tensor, num_frames: int) -> list[Tensor]:
        last = self.size - 1
        return [each.clamp(0, last) for each in place_in_phoneme(durations, num_frames)]
