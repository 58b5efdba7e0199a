"""`Patch`: judges patches of a mel."""

from __future__ import annotations

from typing import final

from torch import Tensor

from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.adversarial.discriminator import ConvStack, Discriminator, Layer, Opinion


@final
class Patch(Discriminator):
    """Convolutions that halve a mel in time and across its channels.

    Args:
        channels: Of the first layer; each further one has twice as many, up to eight times.
        num_layers: How often it is halved.
    """

    def __init__(self, *, channels: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        self.stack = ConvStack(
            layers=[
                Layer(channels * min(8, 2**number), (3, 3), (2, 2)) for number in range(num_layers)
            ],
            kernel=(3, 3),
            slope=0.2,
        )

    def forward(self, x: Tensor, padding_mask: Tensor) -> list[Opinion]:
        """Return one opinion.

        Shape:
            x: (B, T, M). padding_mask: (B, T) bool.
        """
        return [self.stack(zero_padding(x, padding_mask), padding_mask)]
