"""`ConformerEncoder`: phonemes to hidden vectors."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import Encoder
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.conformer.stack import Conformer


@final
class ConformerEncoder(Encoder):
    """An embedding and a Conformer.

    Args:
        vocab_size: Number of phoneme indices.
        hidden_dim: Width.
        conformer: The layers.
    """

    couples_rows = True

    def __init__(self, *, vocab_size: int, hidden_dim: int, conformer: Conformer) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.conformer = conformer

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode phonemes.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H).
        """
        embedded = zero_padding(self.embedding(phoneme_indices), padding_mask)
        hidden: Tensor = self.conformer(embedded, padding_mask)
        return hidden
