"""`AcmeEncoder`."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import Encoder
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding


class AcmeLayer(nn.Module):
    """A convolution over time with a residual connection."""

    def __init__(self, *, hidden_dim: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.conv = MaskedConv1d(hidden_dim, hidden_dim, kernel_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x (B, N, H) with what the convolution adds."""
        added: Tensor = self.dropout(F.gelu(self.conv(x, padding_mask)))
        return x + added


@final
class AcmeEncoder(Encoder):
    """Embeds phonemes and lets each see its neighbours.

    Args:
        vocab_size: Number of phoneme indices.
        hidden_dim: Width (H).
        num_layers: Layers.
        kernel_size: Phonemes that a layer sees, odd.
        dropout: After each layer, in training.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        hidden_dim: int,
        num_layers: int,
        kernel_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.layers = CheckpointedStack(
            AcmeLayer(hidden_dim=hidden_dim, kernel_size=kernel_size, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H).
        """
        x = self.layers(self.embedding(phoneme_indices), padding_mask)
        return zero_padding(self.norm(x), padding_mask)
