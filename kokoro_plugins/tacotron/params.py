"""The settings of Tacotron 2's parts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import LAYER, Size, Sizes, batch_norm, conv1d
from kokoro_core.slots import PostnetParams

if TYPE_CHECKING:
    from kokoro_plugins.tacotron.postnet import ConvPostnet


class ConvPostnetParams(PostnetParams):
    """Adds a residual from convolutions with batch normalisation (Tacotron 2, Shen et al., 2018).

    In training, rows depend on each other through the batch statistics.

    Attributes:
        channels: Channels between the first convolution and the last.
        kernel_size: Frames that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Dropout after each convolution.
        bias: Whether the convolutions have one; batch normalisation takes it away again.
    """

    type: Literal["conv"] = "conv"
    channels: int = Field(default=512, ge=1)
    kernel_size: int = Field(default=5, ge=1)
    num_layers: int = Field(default=5, ge=2)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    bias: bool = True

    @field_validator("kernel_size")
    @classmethod
    def _is_odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(f"must be odd to have a middle, not {kernel_size}; 5 is Tacotron 2's")
        return kernel_size

    @property
    def capabilities(self) -> Capabilities:
        """Each convolution adds half a kernel on both sides."""
        reach = self.num_layers * (self.kernel_size // 2)
        return Capabilities(receptive_field=reach, exportable=True)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the convolutions and their normalisations."""
        mel_dim, channels = sizes.mel_dim, self.channels
        conv = partial(conv1d, kernel_size=self.kernel_size, bias=self.bias)
        inner = conv(channels, channels) + batch_norm(channels)
        first = conv(mel_dim, channels) + batch_norm(channels)
        last = conv(channels, mel_dim) + batch_norm(mel_dim)
        return first + inner * (self.num_layers - 2) + last + LAYER * self.num_layers

    def build(self, sizes: Sizes) -> ConvPostnet:
        """Return the postnet."""
        from kokoro_plugins.tacotron.postnet import ConvPostnet

        return ConvPostnet(
            mel_dim=sizes.mel_dim,
            channels=self.channels,
            kernel_size=self.kernel_size,
            num_layers=self.num_layers,
            dropout=self.dropout,
            bias=self.bias,
        )
