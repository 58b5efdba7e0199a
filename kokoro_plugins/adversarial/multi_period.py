"""`MultiPeriod`: judges every so many samples of a wave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from kokoro_core.tensors.masks import (
    lengths_from_padding_mask,
    padding_mask_from_lengths,
    zero_padding,
)
from kokoro_plugins.adversarial.discriminator import ConvStack, Discriminator, Layer, Opinion


@final
class MultiPeriod(Discriminator):
    """For each period convolutions along samples that are so far apart (Kong et al., 2020).

    What is missing to a whole period at a row's end is silence, where HiFi-GAN reflects it: a
    reflection at the end of a padded row would be one of padding.

    Args:
        periods: Samples from one that is looked at to the next.
        channels: Of the layers; all but the last divide the length by three.
    """

    def __init__(self, *, periods: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        self._periods = tuple(periods)
        *first, last = channels
        layers = [*(Layer(each, (5, 1), (3, 1)) for each in first), Layer(last, (5, 1))]
        self.stacks = nn.ModuleList(
            ConvStack(layers=layers, kernel=(3, 1), slope=0.1) for _ in periods
        )

    def forward(self, x: Tensor, padding_mask: Tensor) -> list[Opinion]:
        """Return an opinion for each period.

        Shape:
            x: (B, S). padding_mask: (B, S) bool.
        """
        silent = zero_padding(x, padding_mask)
        lengths = lengths_from_padding_mask(padding_mask)
        opinions = []
        for period, stack in zip(self._periods, self.stacks, strict=True):
            whole = F.pad(silent, (0, -silent.shape[1] % period))
            # (B, S) -> (B, S / period, period)
            folded = whole.view(len(whole), -1, period)
            mask = padding_mask_from_lengths(-(-lengths // period), folded.shape[1])
            opinions.append(stack(folded, mask))
        return opinions
