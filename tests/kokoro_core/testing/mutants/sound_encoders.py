"""Sound encoders, with seams for mutants."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import Encoder
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.params.sizes import Sizes
from tests.kokoro_core.testing.mutants.blocks import (
    Attention,
    Conv,
    FeedForward,
    require,
    sinusoids,
    zeroed,
)


class Layer(nn.Module):
    """Attention and feed-forward, each normed before."""

    attention_type: ClassVar[type[Attention]] = Attention

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.attention = self.attention_type(width, dropout=dropout)
        self.feed_forward = FeedForward(width, dropout)
        self.norm, self.ff_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Run the layer on x (B, T, H); hidden is (B, 1, 1, T)."""
        inner = self.norm(x)
        x = x + self.attention(inner, inner, hidden)
        result: Tensor = x + self.feed_forward(self.ff_norm(x))
        return result


class AttentionEncoder(Encoder):
    """Embedding, sinusoids, layers, norm."""

    layer_type: ClassVar[type[Layer]] = Layer

    def __init__(self, *, sizes: Sizes, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.pad_id = sizes.pad_id
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.layers = self.stack(self.make_layers(num_layers, sizes.hidden_dim, dropout))
        self.norm = nn.LayerNorm(sizes.hidden_dim)

    def make_layers(self, count: int, width: int, dropout: float) -> list[Layer]:
        """Return the layers."""
        return [self.layer_type(width, dropout) for _ in range(count)]

    def stack(self, layers: list[Layer]) -> nn.Module:
        """Return what runs the layers."""
        return CheckpointedStack(layers)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode phonemes (B, N)."""
        require(phoneme_indices, padding_mask, 2, "phoneme_indices")
        x = self.dropout(self.place(self.embed(phoneme_indices, padding_mask), padding_mask))
        x = self.norm(self.run(x, self.hidden(phoneme_indices, padding_mask)))
        return self.finish(x, padding_mask)

    def embed(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the embedded phonemes."""
        embedded: Tensor = self.embedding(phoneme_indices.masked_fill(padding_mask, 0))
        return embedded

    def place(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x with its positions."""
        return x + sinusoids(self.positions(x, padding_mask), x.shape[2], x.dtype)

    def positions(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the positions (N,)."""
        return torch.arange(x.shape[1], device=x.device)

    def hidden(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Return what no phoneme may look at, (B, 1, 1, N)."""
        return padding_mask[:, None, None, :]

    def run(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Run the layers."""
        result: Tensor = self.layers(x, hidden)
        return result

    def finish(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the output."""
        return zeroed(x, padding_mask)


class OwnAttention(AttentionEncoder):
    """An encoder whose layers have another attention."""

    attention_type: ClassVar[type[Attention]] = Attention

    def make_layers(self, count: int, width: int, dropout: float) -> list[Layer]:
        """Return layers with this attention."""
        kind = type("OwnLayer", (self.layer_type,), {"attention_type": self.attention_type})
        return [kind(width, dropout) for _ in range(count)]


class ConvEncoder(Encoder):
    """Embedding and two convolutions, each normed over channels."""

    conv_type: ClassVar[type[Conv]] = Conv

    def __init__(self, *, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        width = sizes.hidden_dim
        self.embedding = nn.Embedding(sizes.vocab_size, width)
        self.first, self.second = Conv(width, width), self.conv_type(width, width)
        self.first_norm, self.second_norm = self.make_norm(width), self.make_norm(width)
        self.dropout = nn.Dropout(dropout)

    def make_norm(self, width: int) -> nn.Module:
        """Return a norm over channels."""
        return nn.LayerNorm(width)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode phonemes (B, N)."""
        require(phoneme_indices, padding_mask, 2, "phoneme_indices")
        x = self.embedding(phoneme_indices.masked_fill(padding_mask, 0))
        x = self.normed(self.first_norm, self.first(x, padding_mask), padding_mask)
        x = self.dropout(F.gelu(x))
        x = self.normed(self.second_norm, self.second(x, padding_mask), padding_mask)
        return zeroed(x, padding_mask)

    def normed(self, norm: nn.Module, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x normed."""
        result: Tensor = norm(x)
        return result
