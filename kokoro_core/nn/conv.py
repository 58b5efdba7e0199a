"""`MaskedConv1d`: a convolution over time to which padding is silence."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.tensors.masks import zero_padding


@final
class MaskedConv1d(nn.Module):
    """A convolution over time with "same" padding that sees zeros where the input is padding.

    So a row's end looks the same alone and in a longer batch. The output at padding is whatever the
    convolution makes there; the next masked layer, or the component's end, zeroes it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Steps that the convolution sees, odd.
        dilation: Steps between two of them.
        groups: Groups of channels that do not see each other; as many as channels: depthwise.
        bias: Whether a bias is added.

    Raises:
        ValueError: `kernel_size` is even, so that the window has no middle, or `groups` does not
            divide both numbers of channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(
                f"`kernel_size` must be odd so that the window has a middle, not {kernel_size}; "
                f"take {kernel_size + 1}."
            )
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"`groups` must divide {in_channels} and {out_channels} channels, not be {groups}."
            )
        self.conv = nn.Conv1d(
            in_channels,
            out_channels,
            kernel_size,
            padding="same",
            dilation=dilation,
            groups=groups,
            bias=bias,
        )

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Convolve.

        Shape:
            x: (B, T, C). padding_mask: (B, T) bool. Returns: (B, T, C').
        """
        if x.shape[1] == 0:  # which torch's convolution refuses
            return x.new_zeros(x.shape[0], 0, self.conv.out_channels)
        # (B, T, C) -> (B, C, T) -> (B, T, C')
        convolved: Tensor = self.conv(zero_padding(x, padding_mask).transpose(1, 2))
        return convolved.transpose(1, 2)
