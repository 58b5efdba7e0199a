"""`ConvPostnet`: Tacotron 2's convolutions over the finished mel."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, final

from torch import Tensor, nn

from kokoro_core.contracts import Postnet
from kokoro_core.kernels import Dropout
from kokoro_core.nn.batch_norm import MaskedBatchNorm
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


@final
class ConvPostnet(Postnet):
    """Tacotron 2's postnet (Shen et al., 2018, section 2.3), laid out as in NVIDIA/tacotron2.

    Each layer is a convolution, batch normalisation, tanh (not after the last) and dropout; their
    result is added to the coarse mel. In training the normalisation uses the valid frames of
    the whole batch, so rows depend on each other but not on padding.

    Args:
        mel_dim: Mel channels.
        channels: Channels between the first convolution and the last.
        kernel_size: Frames that each convolution sees, odd.
        num_layers: Number of convolutions, at least 2.
        dropout: Probability of dropout after each layer.
        bias: Whether the convolutions have one.
    """

    couples_rows: ClassVar[bool] = True

    def __init__(
        self,
        *,
        mel_dim: int,
        channels: int = 512,
        kernel_size: int = 5,
        num_layers: int = 5,
        dropout: float = 0.5,
        bias: bool = True,
    ) -> None:
        super().__init__()
        widths = [mel_dim, *[channels] * (num_layers - 1), mel_dim]
        self.context = num_layers * (kernel_size // 2)
        self.convs = nn.ModuleList(
            MaskedConv1d(a, b, kernel_size, bias=bias) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in widths[1:])
        self.dropout = Dropout(dropout)

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the refined mel.

        Shape:
            mel: (B, T, M). padding_mask: (B, T) bool. Returns: (B, T, M).
        """
        x = mel
        last = len(self.convs) - 1
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(x, padding_mask), padding_mask)
            x = self.dropout(x if index == last else x.tanh())
        return zero_padding(mel + x, padding_mask)
