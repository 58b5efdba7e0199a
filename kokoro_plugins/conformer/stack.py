"""`Conformer`: the layers that encoder and decoder have in common."""

from __future__ import annotations

import math
from typing import Literal, final

import torch
from torch import Tensor, nn

from kokoro_core.kernels import Dropout
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_plugins.conformer.layer import ConformerLayer


@final
class Conformer(nn.Module):
    """Scales its input, encodes distances, and runs the layers.

    Args:
        num_layers: Layers.
        hidden_dim: Width, even.
        num_heads: Heads of the attention.
        ff_dim: Width of the feed-forward blocks.
        ff_kernel_size: Steps that their convolutions see, odd.
        kernel_size: Steps that the depthwise convolutions see, odd.
        dropout: Probability of dropout, also of the input and the distances.
        norm: Whether each part's input is normalised, or the sum of input and result.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        hidden_dim: int,
        num_heads: int,
        ff_dim: int,
        ff_kernel_size: int,
        kernel_size: int,
        dropout: float,
        norm: Literal["pre", "post"] = "pre",
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.layers = CheckpointedStack(
            ConformerLayer(
                hidden_dim=hidden_dim,
                num_heads=num_heads,
                ff_dim=ff_dim,
                ff_kernel_size=ff_kernel_size,
                kernel_size=kernel_size,
                dropout=dropout,
                norm=norm,
            )
            for _ in range(num_layers)
        )

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H), 0 at padding."""
        distances = encode_distances(x.shape[1], x)
        x = self.dropout(x * math.sqrt(x.shape[2]))
        result: Tensor = self.layers(x, padding_mask, self.dropout(distances))
        return result


def encode_distances(steps: int, like: Tensor) -> Tensor:
    """Return the sinusoids of the distances T - 1 to 1 - T, sines and cosines by turns.

    Shape:
        like: (…, H). Returns: (2T - 1, H), as `like`.
    """
    width = like.shape[-1]
    # Computed in float64, since bfloat16 does not tell 256 from 257.
    distance = torch.arange(steps - 1, -steps, -1, device=like.device, dtype=torch.float64)
    channel = torch.arange(0, width, 2, device=like.device, dtype=torch.float64)
    angles = distance.unsqueeze(1) * torch.exp(channel * (-math.log(10000.0) / width))
    # (2T - 1, H/2, 2) -> (2T - 1, H)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).to(like.dtype)
