"""`RotaryPositions`: queries and keys rotated by angles proportional to their positions."""

from __future__ import annotations

import copy
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import PositionalEncoding


@final
class RotaryPositions(PositionalEncoding):
    """Rotary position embedding (RoPE; Su et al., 2021), channels paired as in LLaMA.

    Channel i is paired with channel i + D/2 and the pair is rotated by position · base^(-2i/D), so
    a score depends only on the distance of query and key. The angles are computed from the
    positions at each call, in float32 at least: a table would have an end, and one cast with the
    model would be wrong in half precision and accurate only to float32 in float64.

    Args:
        head_dim: Channels of one head that are turned (D), even; those behind stay as they are.
        base: Larger values give a longer longest wavelength.

    Raises:
        ValueError: `head_dim` is odd.
    """

    def __init__(self, *, head_dim: int, base: float = 10000.0) -> None:
        super().__init__()
        if head_dim % 2:
            raise ValueError(
                f"`head_dim` must be even for rotary positions, which turn channels in pairs, not "
                f"{head_dim}; choose `hidden_dim` and `num_heads` so that their quotient is even."
            )
        self.head_dim = head_dim
        self.base = base
        self._remembered: list[tuple[Tensor, torch.dtype, tuple[Tensor, Tensor]]] | None = None

    def for_one_pass(self) -> RotaryPositions:
        """Return a view that computes the angles of the same positions once, not in every layer."""
        if torch.compiler.is_compiling():  # a compiler eliminates the repetition itself
            return self
        view = copy.copy(self)
        view._remembered = []
        return view

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys rotated by their positions.

        Shape:
            q: (B, heads, Tq, ≥ D). k: (B, heads, Tk, ≥ D). Positions: (T,) or (B, T) int64.
        """
        return self._turn(q, q_positions), self._turn(k, k_positions)

    def _turn(self, x: Tensor, positions: Tensor) -> Tensor:
        if x.shape[2] == 0:
            return x
        cos, sin = self._cos_sin(positions, x.dtype)
        half, rest = self.head_dim // 2, x.shape[-1] - self.head_dim
        first, second, still = torch.split(x, [half, half, rest], dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin, still), dim=-1)

    def _cos_sin(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cosine and sine of the angles, (T, D/2) or (B, 1, T, D/2)."""
        if self._remembered is None:
            return self._compute_cos_sin(positions, dtype)
        for asked, of, answer in self._remembered:
            if asked is positions and of is dtype:
                return answer
        answer = self._compute_cos_sin(positions, dtype)
        self._remembered.append((positions, dtype, answer))
        return answer

    def _compute_cos_sin(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(dtype, torch.float32)
        pairs = torch.arange(0, self.head_dim, 2, dtype=exact, device=positions.device)
        frequencies = torch.pow(self.base, -pairs / self.head_dim)
        # (..., T) -> (..., T, D/2)
        angles = positions.to(exact).unsqueeze(-1) * frequencies
        if positions.dim() == 2:
            # (B, T, D/2) -> (B, 1, T, D/2): shared by all heads
            angles = angles.unsqueeze(1)
        return angles.cos().to(dtype), angles.sin().to(dtype)
