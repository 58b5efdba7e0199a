"""`SpeechT5Encoder`: phonemes to hidden vectors."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Encoder, PositionalEncoding
from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import make_scope
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.speecht5.layers import EncoderLayer, LayerSettings


@final
class SpeechT5Encoder(Encoder):
    """An embedding, a norm, and layers with norms after their blocks (Ao et al., 2022).

    Args:
        vocab_size: Number of phoneme indices.
        num_layers: Layers.
        layer: What each layer is made with.
        positional_encoding: Of the stack.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        num_layers: int,
        layer: LayerSettings,
        positional_encoding: PositionalEncoding,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, layer.hidden_dim)
        self.positional_encoding = positional_encoding
        self.norm = nn.LayerNorm(layer.hidden_dim)
        self.dropout = Dropout(layer.dropout)
        self.layers = CheckpointedStack(EncoderLayer(layer) for _ in range(num_layers))

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H).

        Raises:
            ValueError: There are more phonemes than the positional encoding knows positions.
        """
        length = phoneme_indices.shape[1]
        self.positional_encoding.check_length(length)
        positions = torch.arange(length, device=phoneme_indices.device)
        embedded = self.embedding(phoneme_indices.masked_fill(padding_mask, 0))
        x = self.dropout(self.positional_encoding.add(embedded, positions))
        scope = make_scope(
            self.positional_encoding, positions, positions, key_padding_mask=padding_mask
        )
        return zero_padding(self.layers(self.dropout(self.norm(x)), scope), padding_mask)
