"""`ConformerLayer` and the stack of them (Gulati et al., 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, final

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import Dropout
from kokoro_core.nn.batch_norm import MaskedBatchNorm
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.conformer.attention import RelativeAttention


@final
class ConvFeedForward(nn.Module):
    """Two convolutions with ReLU and dropout between (FastSpeech, Ren et al., 2019)."""

    def __init__(self, *, hidden_dim: int, ff_dim: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.first = MaskedConv1d(hidden_dim, ff_dim, kernel_size)
        self.second = MaskedConv1d(ff_dim, hidden_dim, kernel_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H)."""
        inner = self.dropout(self.first(x, padding_mask).relu())
        result: Tensor = self.second(inner, padding_mask)
        return result


@final
class ConvModule(nn.Module):
    """A gated pointwise convolution, a depthwise one with batch normalisation, and a pointwise."""

    def __init__(self, *, hidden_dim: int, kernel_size: int) -> None:
        super().__init__()
        self.gated = MaskedConv1d(hidden_dim, 2 * hidden_dim, 1)
        self.depthwise = MaskedConv1d(hidden_dim, hidden_dim, kernel_size, groups=hidden_dim)
        self.norm = MaskedBatchNorm(hidden_dim)
        self.pointwise = MaskedConv1d(hidden_dim, hidden_dim, 1)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H)."""
        x = F.glu(self.gated(x, padding_mask), dim=2)
        x = F.silu(self.norm(self.depthwise(x, padding_mask), padding_mask))
        result: Tensor = self.pointwise(x, padding_mask)
        return result


@final
class ConformerLayer(nn.Module):
    """Half a feed-forward block, attention, a convolution module, half a block, and a norm.

    Args:
        hidden_dim: Width.
        num_heads: Heads of the attention.
        ff_dim: Width of the feed-forward blocks.
        ff_kernel_size: Steps that their convolutions see, odd.
        kernel_size: Steps that the depthwise convolution sees, odd.
        dropout: Probability of dropout, also of the attention's weights.
        norm: Whether each part's input is normalised, or the sum of input and result.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        num_heads: int,
        ff_dim: int,
        ff_kernel_size: int,
        kernel_size: int,
        dropout: float,
        norm: Literal["pre", "post"],
    ) -> None:
        super().__init__()
        self._pre = norm == "pre"
        self.before, self.after = (
            ConvFeedForward(
                hidden_dim=hidden_dim, ff_dim=ff_dim, kernel_size=ff_kernel_size, dropout=dropout
            )
            for _ in range(2)
        )
        self.attention = RelativeAttention(
            hidden_dim=hidden_dim, num_heads=num_heads, dropout=dropout
        )
        self.conv = ConvModule(hidden_dim=hidden_dim, kernel_size=kernel_size)
        self.before_norm, self.attention_norm, self.conv_norm, self.after_norm, self.last_norm = (
            nn.LayerNorm(hidden_dim) for _ in range(5)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor, distances: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H); distances as `RelativeAttention` has them."""
        x = self._add(x, self.before_norm, lambda y: 0.5 * self.before(y, padding_mask))
        attend = self.attention
        x = self._add(x, self.attention_norm, lambda y: attend(y, padding_mask, distances))
        x = self._add(x, self.conv_norm, lambda y: self.conv(y, padding_mask))
        x = self._add(x, self.after_norm, lambda y: 0.5 * self.after(y, padding_mask))
        normed: Tensor = self.last_norm(x)
        return zero_padding(normed, padding_mask)

    def _add(self, x: Tensor, norm: nn.LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the input and a part's result, normalised before or after."""
        if self._pre:
            added: Tensor = x + self.dropout(part(norm(x)))
            return added
        normed: Tensor = norm(x + self.dropout(part(x)))
        return normed
