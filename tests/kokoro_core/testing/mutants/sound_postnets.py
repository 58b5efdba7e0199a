"""Sound postnets, with seams for mutants."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from kokoro_core.contracts import Postnet
from kokoro_core.nn.batch_norm import MaskedBatchNorm
from tests.kokoro_core.testing.mutants.blocks import Conv, require, zeroed


class SoundPostnet(Postnet):
    """Adds the result of two convolutions."""

    conv_type: ClassVar[type[Conv]] = Conv
    context: int | None = 2

    def __init__(self, *, mel_dim: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = Conv(mel_dim, 8), self.conv_type(8, mel_dim)
        self.norm = self.make_norm(8)
        self.dropout = nn.Dropout(dropout)

    def make_norm(self, channels: int) -> nn.Module:
        """Return the norm between the convolutions."""
        return nn.LayerNorm(channels)

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        """Refine mel (B, T, M)."""
        require(mel, padding_mask, 3, "mel")
        x = self.normed(self.first(mel, padding_mask), padding_mask)
        x = self.second(self.dropout(x.tanh()), padding_mask)
        return self.finish(mel, x, padding_mask)

    def normed(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x normed."""
        result: Tensor = self.norm(x)
        return result

    def finish(self, mel: Tensor, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the refined mel."""
        return zeroed(mel + x, padding_mask)


class NormedPostnet(SoundPostnet):
    """The same with batch normalisation, which couples rows in training."""

    couples_rows: ClassVar[bool] = True

    def make_norm(self, channels: int) -> nn.Module:
        """Return a batch normalisation that leaves padding out."""
        return MaskedBatchNorm(channels)

    def normed(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x normed."""
        result: Tensor = self.norm(x, padding_mask)
        return result


class RoundedPostnet(SoundPostnet):
    """Rounds between the convolutions, and learns as if it did not (straight-through)."""

    def normed(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x normed, in steps of a quarter."""
        normal = super().normed(x, padding_mask)
        return normal + ((normal * 4).round() / 4 - normal).detach()
