"""`UNet`: the velocity of a mel on its way from noise, at several resolutions in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.matcha.blocks import ConvBlock, ResnetBlock, TimeEmbedding, TransformerBlock


@final
class Stage(nn.Module):
    """A residual block, then transformer blocks, at one resolution."""

    def __init__(self, resnet: ResnetBlock, blocks: Sequence[TransformerBlock]) -> None:
        super().__init__()
        self.resnet = resnet
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, padding_mask: Tensor, time: Tensor) -> Tensor:
        """Return (B, T, C') of x (B, T, C)."""
        x = self.resnet(x, padding_mask, time)
        for block in self.blocks:
            x = block(x, padding_mask)
        return x


@final
class Halve(nn.Module):
    """A convolution that keeps every second step, from the first on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, ⌈T/2⌉, C) of x (B, T, C)."""
        halved: Tensor = self.conv(zero_padding(x, padding_mask).transpose(1, 2))
        return halved.transpose(1, 2)


@final
class Double(nn.Module):
    """A transposed convolution that makes two steps of each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(channels, channels, 4, stride=2, padding=1)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, 2 T, C) of x (B, T, C)."""
        doubled: Tensor = self.conv(zero_padding(x, padding_mask).transpose(1, 2))
        return doubled.transpose(1, 2)


@final
class UNet(nn.Module):
    """The estimator of Matcha-TTS (Mehta et al., 2024, section 3.3).

    Stages lead down to half the resolution each, some stay at the lowest, and stages lead up again,
    each with what its counterpart on the way down made.

    Args:
        in_channels: Channels of the mel and of the condition together.
        out_channels: Mel channels.
        channels: Channels of the stages on the way down, multiples of 8.
        num_mid_stages: Stages at the lowest resolution between down and up.
        num_blocks: Transformer blocks of a stage.
        num_heads: Attention heads.
        head_dim: Channels of each head.
        dropout: Of the transformer blocks.
        frequencies: Channels of the sinusoids of the time.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        num_mid_stages: int,
        num_blocks: int,
        num_heads: int,
        head_dim: int,
        dropout: float,
        frequencies: int,
    ) -> None:
        super().__init__()
        time_dim = 4 * channels[0]

        def stage(inputs: int, width: int) -> Stage:
            blocks = [
                TransformerBlock(
                    channels=width, num_heads=num_heads, head_dim=head_dim, dropout=dropout
                )
                for _ in range(num_blocks)
            ]
            return Stage(ResnetBlock(inputs, width, time_dim), blocks)

        lowest, above = channels[-1], [*channels[-2::-1], channels[0]]
        self.time = TimeEmbedding(frequencies=frequencies, width=time_dim)
        self.down = nn.ModuleList(map(stage, [in_channels, *channels[:-1]], channels))
        self.shrink = nn.ModuleList(map(Halve, channels[:-1]))
        self.turn = MaskedConv1d(lowest, lowest, 3)
        self.mid = nn.ModuleList(stage(lowest, lowest) for _ in range(num_mid_stages))
        self.up = nn.ModuleList(
            stage(2 * below, width) for below, width in zip(channels[::-1], above, strict=True)
        )
        self.grow = nn.ModuleList(map(Double, above[:-1]))
        self.last = MaskedConv1d(channels[0], channels[0], 3)
        self.final = ConvBlock(channels[0], channels[0])
        self.out = nn.Linear(channels[0], out_channels)
        self.apply(_initialise)

    def forward(
        self, mel: Tensor, condition: Tensor, times: Tensor, padding_mask: Tensor
    ) -> Tensor:
        """Return the velocities.

        Shape:
            mel: (B, T, M). condition: (B, T, C). times: (B, 1, 1), 0 at noise and 1 at a mel.
            padding_mask: (B, T) bool. Returns: (B, T, M).
        """
        if mel.shape[1] == 0:  # which torch's convolutions refuse
            return torch.zeros_like(mel)
        time = self.time(times)
        x, masks, skipped = torch.cat([mel, condition], dim=2), [padding_mask], []
        for depth, stage in enumerate(self.down):
            x = stage(x, masks[-1], time)
            skipped.append(x)
            if depth < len(self.shrink):
                x = self.shrink[depth](x, masks[-1])
                masks.append(masks[-1][:, ::2])
        x = self.turn(x, masks[-1])
        for stage in self.mid:
            x = stage(x, masks[-1], time)
        for height, stage in enumerate(self.up):
            mask = masks.pop()
            x = stage(torch.cat([x, skipped.pop()], dim=2), mask, time)
            if masks:
                x = self.grow[height](x, mask)[:, : masks[-1].shape[1]]
        x = self.final(self.last(x, padding_mask), padding_mask)
        return zero_padding(self.out(x), padding_mask)


def _initialise(module: nn.Module) -> None:
    """Draw weights as He et al. (2015) do; biases start at 0."""
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
