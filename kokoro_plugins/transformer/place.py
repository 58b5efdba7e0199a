"""`PlaceEmbedding`: tells a frame where inside its phoneme it lies."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.tensors.durations import place_in_phoneme


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
        since, left = place_in_phoneme(durations, num_frames)
        last = self.size - 1
        result: Tensor = self.since_start(since.clamp(0, last)) + self.until_end(
            left.clamp(0, last)
        )
        return result
