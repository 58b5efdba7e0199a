"""`FeedForward`: two linear layers with ReLU and dropout between them."""

from __future__ import annotations

from collections import OrderedDict
from typing import final

from torch import Tensor, nn

from kokoro_core.kernels import Linear, ReluDropout, feed_forward


@final
class FeedForward(nn.Sequential):
    """Linear, ReLU, dropout, linear (Vaswani et al., 2017, section 3.3).

    Args:
        hidden_dim: Width of input and output (H).
        ff_dim: Width between the two.
        dropout: Of what is between them, in training.
    """

    def __init__(self, *, hidden_dim: int, ff_dim: int, dropout: float) -> None:
        layers = {
            "0": Linear(hidden_dim, ff_dim),
            "1": ReluDropout(dropout),
            "3": Linear(ff_dim, hidden_dim),  # the name that checkpoints know
        }
        super().__init__(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block.

        Shape:
            x: (..., H). Returns: (..., H).
        """
        first, relu_dropout, last = self
        return feed_forward(x, first, relu_dropout, last)
