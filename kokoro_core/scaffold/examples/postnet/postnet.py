"""`ExamplePostnet`."""

from __future__ import annotations

from typing import final

from torch import Tensor

from kokoro_core.contracts import Postnet
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


@final
class ExamplePostnet(Postnet):
    """Corrects the finished mel.

    Args:
        mel_dim: Mel channels (M).
        channels: Width between the two convolutions.
        kernel_size: Frames that each sees, odd.
    """

    def __init__(self, *, mel_dim: int, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.context = 2 * (kernel_size // 2)
        self.inner = MaskedConv1d(mel_dim, channels, kernel_size)
        self.outer = MaskedConv1d(channels, mel_dim, kernel_size)

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the refined mel.

        Shape:
            mel: (B, T, M). padding_mask: (B, T) bool. Returns: (B, T, M).
        """
        correction = self.outer(self.inner(mel, padding_mask).tanh(), padding_mask)
        return zero_padding(mel + correction, padding_mask)
