"""Dropout for the CPU: masks from a seed, drawn many at a time and never kept.

torch draws a dropout mask on the CPU number by number and keeps it, as floats, for the backward
pass: that was a fifth of a training step and a third of its memory. Here a mask is a seed. It comes
from torch's generator, so `torch.manual_seed` and recomputed segments repeat it.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kokoro_core.kernels import reference
from kokoro_core.kernels.choice import by_reference

PARTS = 1 << 16
"""A probability is a whole number of these."""
PERIOD = 256
"""Places after which the limits that bytes are compared with repeat."""
TILE = 16 * PERIOD
"""Places that are decided at a time: so many bytes, eight of a random number."""
PIECE = 64 * TILE
"""Places of a mask that is there for a moment only, in the processor's cache."""


@final
class DropoutMasks:
    """Dropout masks one after the other; the same again from the same seed.

    The bits are those of SFC64 (Doty-Humphrey, 2018), the fastest generator that NumPy has; to draw
    them is most of the work. So a place takes 8 of them, as of 8 bits an image is dithered: where a
    tenth is dropped, a byte must be below 25 or 26, and which of both begins anywhere. Places 256
    apart have the same limit within a mask, so that those of a column are dropped together a little
    more often than by chance: what a column loses varies 1.03 times as much at 0.1, 2.5 times at
    0.001 and at 0.999.

    Args:
        seed: From `draw_seed`.
        p: Probability that a place is dropped, below 1, rounded to a whole number of 1/65536, of
            which there are 65535 at most.
    """

    def __init__(self, seed: int, p: float) -> None:
        self.p = p
        self.scale = scale_of_kept(p)
        self._bits = np.random.SFC64(seed)
        self._limits = limits(dropped_parts(p), TILE + PERIOD)

    def next(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return 0 where a place is dropped and elsewhere what keeps the mean as it was."""
        return self.write(torch.empty(shape, dtype=dtype)).mul_(self.scale)

    def write(self, into: Tensor) -> Tensor:
        """Write 0 where a place is dropped and 1 elsewhere, which `scale` is still to multiply.

        Shape:
            into: any. Returns: into.
        """
        num = into.numel()
        words: np.ndarray[Any, Any] = self._bits.random_raw(-(-num // TILE) * TILE // 8 + 1)
        start = int(words[-1]) % PERIOD
        drawn = words[:-1].view(np.uint8).reshape(-1, TILE)
        kept = (drawn >= self._limits[start : start + TILE]).reshape(-1)[:num]
        return into.copy_(torch.from_numpy(kept.view(np.uint8)).view(into.shape))


def limits(dropped: int, num: int) -> np.ndarray[Any, Any]:
    """Return below what the byte of each place is dropped: in any 256 places `dropped` in all.

    Args:
        dropped: How many of 65536 are to be dropped.
        num: Places.
    """
    # An odd step visits all remainders in turn, and this one, a golden section, evenly.
    rest = np.arange(num) * 159 % PERIOD
    found = (dropped + rest) // 256
    return found.astype(np.uint8 if found.max() < 256 else np.uint16)


def scale_of_kept(p: float) -> float:
    """Return what the numbers that are kept are multiplied with, so that the mean stays."""
    return PARTS / (PARTS - dropped_parts(p))


def dropped_parts(p: float) -> int:
    """Return how many of 65536 are dropped: never all, as no scale would keep the mean."""
    return min(round(p * PARTS), PARTS - 1)


def draw_seed() -> int:
    """Return a seed from torch's generator."""
    return int(torch.randint(2**63 - 1, (), device="cpu"))


def uses_seeded_masks(x: Tensor) -> bool:
    """Return whether masks of a tensor are ours to draw: on a CPU that compiles nothing.

    On the meta device nothing is drawn, but as much is kept for the backward pass as on a CPU.
    """
    here = x.device.type in ("cpu", "meta") and not torch.compiler.is_compiling()
    return here and not by_reference()


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        ctx.seed, ctx.p = draw_seed(), p
        return _masked(x, ctx.seed, p)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _masked(grad, ctx.seed, ctx.p), None


def relu_and_drop_(x: Tensor, p: float) -> None:
    """Set to 0 in place what is below 0 and a share of the rest, and scale what is left."""
    x.clamp_min_(0)
    if p > 0 and not x.is_meta:
        masks = DropoutMasks(draw_seed(), p)
        # A mask of all places at once would take as much memory as x does.
        for start in range(0, x.numel(), PIECE):
            piece = x.view(-1)[start : start + PIECE]
            piece.mul_(masks.next(tuple(piece.shape), piece.dtype))


def _masked(x: Tensor, seed: int, p: float) -> Tensor:
    if x.is_meta:
        return torch.empty_like(x)
    return DropoutMasks(seed, p).next(tuple(x.shape), x.dtype).mul_(x)


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Return what `reference.dropout` returns; on the CPU the derivative has no derivative.

    Shape:
        x: any. Returns: as x.
    """
    if not training or p in (0, 1) or not uses_seeded_masks(x):
        return reference.dropout(x, p, training)
    dropped: Tensor = _Dropout.apply(x, p)  # type: ignore[no-untyped-call]
    return dropped


@final
class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, on the CPU with masks that take a sixth of the time and no memory."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop each number with probability `p` in training, and scale what is left.

        Shape:
            x: any. Returns: as x.
        """
        return dropout(x, self.p, self.training)


@final
class ReluDropout(nn.Dropout):
    """ReLU and dropout, which together keep one tensor for the backward pass, their result."""

    def forward(self, x: Tensor) -> Tensor:
        """Cut what is below 0 and do as `Dropout` does.

        Shape:
            x: any. Returns: as x.
        """
        # In this order nothing between the two is kept; the result is the same.
        return dropout(x, self.p, self.training).relu()
