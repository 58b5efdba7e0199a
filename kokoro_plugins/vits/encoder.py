"""`VitsEncoder`: phonemes to hidden vectors and a Gaussian prior (VITS, Kim et al., 2021)."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Encoder, EncoderOutput
from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import MultiheadAttention, make_scope
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.vits.relative import RelativeWindow


@final
class VitsLayer(nn.Module):
    """Attention that knows near distances, then two convolutions, each normalised afterwards.

    Args:
        hidden_dim: Width.
        num_heads: Heads of the attention; they divide the width.
        window: The largest distance that has a key and a value.
        ff_dim: Channels between the convolutions.
        kernel_size: Phonemes that each of them sees, odd.
        dropout: Probability of dropout, also of the attention's weights.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        num_heads: int,
        window: int,
        ff_dim: int,
        kernel_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = MultiheadAttention(
            hidden_dim=hidden_dim, num_heads=num_heads, dropout=dropout
        )
        self.relative = RelativeWindow(window=window, head_dim=hidden_dim // num_heads)
        self.first = MaskedConv1d(hidden_dim, ff_dim, kernel_size)
        self.second = MaskedConv1d(ff_dim, hidden_dim, kernel_size)
        self.attention_norm, self.conv_norm = (nn.LayerNorm(hidden_dim) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, N, H) of x (B, N, H)."""
        at = torch.arange(x.shape[1], device=x.device)
        scope = make_scope(self.relative, at, at, key_padding_mask=padding_mask)
        x = self.attention_norm(x + self.dropout(self.attention(x, x, scope)))
        inner = self.dropout(self.first(x, padding_mask).relu())
        inner = zero_padding(self.second(inner, padding_mask), padding_mask)
        normed: Tensor = self.conv_norm(x + self.dropout(inner))
        return normed


@final
class VitsEncoder(Encoder):
    """An embedding, layers, and a linear layer to a mean and a log deviation a phoneme.

    Args:
        vocab_size: Number of phoneme indices.
        hidden_dim: Width.
        prior_dim: Channels of the prior.
        layers: The layers.
        mean_only: Whether the prior has a mean and no log deviation.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        hidden_dim: int,
        prior_dim: int,
        layers: list[VitsLayer],
        mean_only: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        nn.init.normal_(self.embedding.weight, std=hidden_dim**-0.5)
        self.layers = CheckpointedStack(layers)
        self._parts = ("mu",) if mean_only else ("mu", "log_sigma")
        self.prior = nn.Linear(hidden_dim, len(self._parts) * prior_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> EncoderOutput:
        """Encode phonemes; the parts are `mu` and, unless the prior is a mean alone, `log_sigma`.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool.
        """
        embedded = self.embedding(phoneme_indices)
        x = zero_padding(embedded * math.sqrt(embedded.shape[2]), padding_mask)
        hidden = zero_padding(self.layers(x, padding_mask), padding_mask)
        prior = zero_padding(self.prior(hidden), padding_mask).chunk(len(self._parts), 2)
        return EncoderOutput(hidden, dict(zip(self._parts, prior, strict=True)))
