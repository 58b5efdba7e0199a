"""Recurrent layers: `run_lstm`, and `BidirectionalLstm`, whose layers never read padding."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn

from kokoro_core.tensors.masks import lengths_from_padding_mask, zero_padding


@final
class BidirectionalLstm(nn.Module):
    """LSTMs (Hochreiter and Schmidhuber, 1997) from both ends of each row, layer on layer.

    The one that runs from right to left begins at the row's own last step. For that the row is
    turned round in place, so nothing is packed, no length is read on the device, and a row may be
    empty.

    Args:
        input_dim: Channels of the input.
        width: Channels of the output, half of them of each direction.
        num_layers: Layers.

    Raises:
        ValueError: `width` is odd.
    """

    def __init__(self, *, input_dim: int, width: int, num_layers: int = 1) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(
                f"`width` must be even, half for each direction, not {width}; take {width + 1}."
            )
        inputs = [input_dim] + [width] * (num_layers - 1)
        self.width = width
        self.rightward = nn.ModuleList(_lstm(each, width // 2) for each in inputs)
        self.leftward = nn.ModuleList(_lstm(each, width // 2) for each in inputs)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Run all layers; padding comes out as 0.

        Shape:
            x: (B, T, C). padding_mask: (B, T) bool, padding only at the end of a row.
            Returns: (B, T, width).
        """
        if x.shape[1] == 0:  # which torch's LSTM refuses
            return x.new_zeros(x.shape[0], 0, self.width)
        order = _turned(padding_mask)
        for rightward, leftward in zip(self.rightward, self.leftward, strict=True):
            x = zero_padding(x, padding_mask)
            there, _ = run_lstm(cast("nn.LSTM", rightward), x)
            back, _ = run_lstm(cast("nn.LSTM", leftward), _reordered(x, order))
            x = torch.cat([there, _reordered(back, order)], dim=2)
        return zero_padding(x, padding_mask)


def run_lstm(
    lstm: nn.LSTM, x: Tensor, state: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Run an LSTM, on a CPU in the precision of its weights under autocast too.

    oneDNN refuses LSTMs in bfloat16 on processors without instructions for it, which autocast
    does not know.

    Shape:
        x: (B, T, C). state: two of (layers, B, H), or None: zeros.
        Returns: (B, T, H) and the state after the last step.
    """
    if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return cast("tuple[Tensor, tuple[Tensor, Tensor]]", lstm(x, state))
    dtype = lstm.get_parameter("weight_hh_l0").dtype
    with torch.autocast("cpu", enabled=False):
        state = None if state is None else (state[0].to(dtype), state[1].to(dtype))
        return cast("tuple[Tensor, tuple[Tensor, Tensor]]", lstm(x.to(dtype), state))


def _lstm(input_dim: int, width: int) -> nn.LSTM:
    """Return a layer whose forget gates begin open (Jozefowicz et al., 2015, section 3.2)."""
    layer = nn.LSTM(input_dim, width, batch_first=True)
    with torch.no_grad():
        layer.get_parameter("bias_ih_l0")[width : 2 * width] = 1.0
    return layer


def _turned(padding_mask: Tensor) -> Tensor:
    """Return the order (B, T) that turns the valid steps of each row round and leaves padding."""
    steps = torch.arange(padding_mask.shape[1], device=padding_mask.device)
    last = lengths_from_padding_mask(padding_mask).unsqueeze(1) - 1
    return torch.where(padding_mask, steps, last - steps)


def _reordered(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order.unsqueeze(2).expand(-1, -1, x.shape[2]))
