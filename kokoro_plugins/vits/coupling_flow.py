"""`CouplingFlow`: an invertible map of frames (RealNVP, Dinh et al., 2017; VITS)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.vits.wavenet import WaveNet


@final
class Coupling(nn.Module):
    """Shifts, and perhaps scales, one half of the channels by what the other half says.

    Args:
        channels: Channels of a frame, at least 2.
        width: Channels of the WaveNet.
        kernel_size: Frames that each of its convolutions sees, odd.
        num_layers: Its layers.
        dilation: What its dilation is multiplied by from layer to layer.
        dropout: Its dropout.
        mean_only: Whether nothing is scaled, so that the map keeps volumes.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        kernel_size: int,
        num_layers: int,
        dilation: int,
        dropout: float,
        mean_only: bool,
    ) -> None:
        super().__init__()
        self._half = channels // 2
        moved = channels - self._half
        self.first = nn.Linear(self._half, width)
        self.wavenet = WaveNet(
            width=width,
            kernel_size=kernel_size,
            num_layers=num_layers,
            dilation=dilation,
            dropout=dropout,
        )
        self.out = nn.Linear(width, moved if mean_only else 2 * moved)
        # Without a say of its own at first, each coupling is the identity.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what x becomes, and the log-determinant of each row.

        Shape:
            x: (B, T, C). padding_mask: (B, T) bool. Returns: (B, T, C) and (B,).
        """
        still, moved = x.tensor_split([self._half], 2)
        shift, log_scale = self._move(still, padding_mask, moved)
        z = torch.cat([still, shift + moved * log_scale.exp()], 2)
        return zero_padding(z, padding_mask), log_scale.sum((1, 2))

    def inverse(self, z: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the x that becomes z."""
        still, moved = z.tensor_split([self._half], 2)
        shift, log_scale = self._move(still, padding_mask, moved)
        x = torch.cat([still, (moved - shift) * (-log_scale).exp()], 2)
        return zero_padding(x, padding_mask)

    def _move(self, still: Tensor, padding_mask: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return by what the other half is shifted, and the log of by what it is scaled."""
        inner = self.wavenet(zero_padding(self.first(still), padding_mask), padding_mask)
        move = zero_padding(self.out(inner), padding_mask)
        shift, log_scale = move.tensor_split([like.shape[2]], 2)
        return shift, log_scale if log_scale.shape[2] else torch.zeros_like(shift)


@final
class CouplingFlow(nn.Module):
    """Couplings, the channels turned round after each.

    Args:
        couplings: The couplings.
    """

    def __init__(self, couplings: list[Coupling]) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(couplings)

    def forward(self, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what x becomes, and the log-determinant of each row.

        Shape:
            x: (B, T, C). padding_mask: (B, T) bool. Returns: (B, T, C) and (B,).
        """
        total = x.new_zeros(len(x))
        x = zero_padding(x, padding_mask)
        for coupling in self.couplings:
            x, log_det = coupling(x, padding_mask)
            x, total = x.flip(2), total + log_det
        return x, total

    def inverse(self, z: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the x that becomes z."""
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)
            z = coupling.inverse(z.flip(2), padding_mask)
        return zero_padding(z, padding_mask)
