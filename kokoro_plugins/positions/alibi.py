"""`AlibiPositions`: attention scores that decrease with distance."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import PositionalEncoding


def slope_exponents(num_heads: int) -> list[float]:
    """Return the exponent e of each head's slope 2^(-e), as in Press et al. (2022).

    For a power of two, e grows from 8/heads to 8 in equal steps. Any other number of heads uses
    all slopes of the next lower power of two, then every second one of the next higher
    (``get_slopes`` in the authors' ofirpress/attention_with_linear_biases).
    """
    below = 1 << (num_heads.bit_length() - 1)
    between = num_heads - below
    return [8 * i / below for i in range(1, below + 1)] + [
        4 * (2 * i - 1) / below for i in range(1, between + 1)
    ]


@final
class AlibiPositions(PositionalEncoding):
    """Attention with linear biases (ALiBi; Press et al., 2022), in both directions.

    A score is reduced by slope · |i - j|. In a causal stack that is the paper's own bias, since
    only earlier keys are visible.

    Args:
        num_heads: Heads of the stack, any number.
    """

    exponents: Tensor

    def __init__(self, *, num_heads: int) -> None:
        super().__init__()
        # Short dyadic fractions: exact in every dtype that the model may be cast to.
        exponents = torch.tensor(slope_exponents(num_heads))
        self.register_buffer("exponents", exponents, persistent=False)

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return -slope · distance, in the dtype of the model.

        Shape:
            Positions: (T,) or (B, T) int64. Returns: (heads, Tq, Tk) or (B, heads, Tq, Tk).
        """
        distances = (q_positions.unsqueeze(-1) - k_positions.unsqueeze(-2)).abs()
        dtype = torch.promote_types(self.exponents.dtype, torch.float32)
        slopes = torch.exp2(-self.exponents.to(dtype))
        # (..., Tq, Tk) -> (..., heads, Tq, Tk)
        biases = distances.unsqueeze(-3) * -slopes[:, None, None]
        return biases.to(self.exponents.dtype)
