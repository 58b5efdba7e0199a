"""`RecurrentEncoder`."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import Encoder
from kokoro_core.nn.recurrent import BidirectionalLstm
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding


class RecurrentLayer(nn.Module):
    """An LSTM in both directions whose result is added to what it read."""

    def __init__(self, *, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_dim)
        self.lstm = BidirectionalLstm(input_dim=hidden_dim, width=hidden_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x (B, N, H) with what the LSTM adds."""
        added: Tensor = self.dropout(self.lstm(self.norm(x), padding_mask))
        return x + added


@final
class RecurrentEncoder(Encoder):
    """Embeds phonemes and reads them from both ends.

    Args:
        vocab_size: Number of phoneme indices.
        hidden_dim: Width (H), even.
        num_layers: Layers.
        dropout: After each layer, in training.
    """

    def __init__(
        self, *, vocab_size: int, hidden_dim: int, num_layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.layers = CheckpointedStack(
            RecurrentLayer(hidden_dim=hidden_dim, dropout=dropout) for _ in range(num_layers)
        )

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H).
        """
        x = self.layers(self.embedding(phoneme_indices), padding_mask)
        return zero_padding(x, padding_mask)
