"""`MatchaEncoder`: phonemes to hidden vectors, and to a mean mel for each of them."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Encoder, EncoderOutput, PositionalEncoding
from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import AttentionScope, MultiheadAttention, make_scope
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding

NORM_EPS = 1e-4
"""Added to the variance of every LayerNorm, as in Glow-TTS."""


@final
class Prenet(nn.Module):
    """Convolutions with LayerNorm, ReLU and dropout, and a linear layer, added to the input.

    It starts as the identity.

    Args:
        hidden_dim: Width.
        num_layers: Number of convolutions.
        kernel_size: Phonemes that each convolution sees, odd.
        dropout: Probability of dropout after each.
    """

    def __init__(
        self, *, hidden_dim: int, num_layers: int = 3, kernel_size: int = 5, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            MaskedConv1d(hidden_dim, hidden_dim, kernel_size) for _ in range(num_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_dim, NORM_EPS) for _ in range(num_layers))
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(hidden_dim, hidden_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, embedded: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, N, H) of embedded (B, N, H)."""
        x = embedded
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.dropout(norm(conv(x, padding_mask)).relu())
        result: Tensor = embedded + self.out(x)
        return result


@final
class MatchaEncoderLayer(nn.Module):
    """Self-attention and two convolutions, each added to its input and the sum normalised.

    Args:
        hidden_dim: Width.
        num_heads: Attention heads.
        ff_dim: Channels between the convolutions.
        kernel_size: Phonemes that each convolution sees, odd.
        dropout: Of attention weights, between the convolutions and of each result.
    """

    def __init__(
        self, *, hidden_dim: int, num_heads: int, ff_dim: int, kernel_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = MultiheadAttention(
            hidden_dim=hidden_dim, num_heads=num_heads, dropout=dropout
        )
        self.attention_norm = nn.LayerNorm(hidden_dim, NORM_EPS)
        self.first = MaskedConv1d(hidden_dim, ff_dim, kernel_size)
        self.second = MaskedConv1d(ff_dim, hidden_dim, kernel_size)
        self.conv_norm = nn.LayerNorm(hidden_dim, NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, scope: AttentionScope, padding_mask: Tensor) -> Tensor:
        """Return (B, N, H) of x (B, N, H)."""
        x = self.attention_norm(x + self.dropout(self.attention(x, x, scope)))
        inner = self.dropout(self.first(x, padding_mask).relu())
        result: Tensor = self.conv_norm(x + self.dropout(self.second(inner, padding_mask)))
        return result


@final
class MatchaEncoder(Encoder):
    """The text encoder of Matcha-TTS (Mehta et al., 2024), Glow-TTS's with other positions.

    Args:
        vocab_size: Number of phoneme indices.
        hidden_dim: Width.
        prenet: What the embeddings pass first, or None.
        layers: The layers.
        positional_encoding: Of the layers.
        prior_dim: Width of the part ``mu``, the mean of each phoneme's frames, which starts at 0;
            None: there is none.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        hidden_dim: int,
        prenet: Prenet | None,
        layers: list[MatchaEncoderLayer],
        positional_encoding: PositionalEncoding,
        prior_dim: int | None,
    ) -> None:
        super().__init__()
        self.scale = math.sqrt(hidden_dim)
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        nn.init.normal_(self.embedding.weight, std=1 / self.scale)
        self.prenet = prenet
        self.positional_encoding = positional_encoding
        self.layers = CheckpointedStack(layers)
        self.prior = None if prior_dim is None else nn.Linear(hidden_dim, prior_dim)
        if self.prior is not None:
            nn.init.zeros_(self.prior.weight)
            nn.init.zeros_(self.prior.bias)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor | EncoderOutput:
        """Encode phonemes.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: hidden (B, N, H),
            with the part ``mu`` (B, N, prior_dim) if there is one.

        Raises:
            ValueError: There are more phonemes than the positional encoding knows positions.
        """
        length = phoneme_indices.shape[1]
        self.positional_encoding.check_length(length)
        positions = torch.arange(length, device=phoneme_indices.device)
        x = self.embedding(phoneme_indices.masked_fill(padding_mask, 0)) * self.scale
        if self.prenet is not None:
            x = self.prenet(x, padding_mask)
        scope = make_scope(
            self.positional_encoding, positions, positions, key_padding_mask=padding_mask
        )
        x = self.layers(self.positional_encoding.add(x, positions), scope, padding_mask)
        hidden = zero_padding(x, padding_mask)
        if self.prior is None:
            return hidden
        return EncoderOutput(hidden, {"mu": zero_padding(self.prior(hidden), padding_mask)})
