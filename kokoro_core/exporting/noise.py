"""Noise for graphs: drawn by the graph itself, or given to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast, final

import torch
from torch import Tensor

from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.tensors.noise import RowNoise


@final
class GraphNoise:
    """Stands for `RowNoise` in a graph, whose random numbers the runtime draws.

    A generator for each row and block cannot be in a graph. The numbers are those of torch's global
    generator where torch runs the graph.
    """

    def of(self, part: str) -> GraphNoise:
        """Return itself: a graph has one stream, in the order of its operations."""
        return self

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return (B, num, channels) of the standard normal distribution."""
        return torch.randn(like.shape[0], num, channels, dtype=like.dtype, device=like.device)

    def uniform(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return (B, num, channels) of the uniform distribution over [0, 1)."""
        return torch.rand(like.shape[0], num, channels, dtype=like.dtype, device=like.device)


@final
class GivenNoise:
    """Gives numbers that something else has drawn, in the order in which they are asked for.

    Each part has a stream of its own: what it was given once, it is given anew after `rewind`.

    Args:
        drawn: (B, num, channels) each.
    """

    def __init__(self, drawn: Sequence[Tensor]) -> None:
        self._left = list(drawn)
        self._parts: dict[str, GivenStream] = {}

    def of(self, part: str) -> GivenStream:
        """Return the stream of a part."""
        return self._parts.setdefault(part, GivenStream(self._left))

    def rewind(self) -> None:
        """Let each part that has been given numbers be given the same ones again."""
        for each in self._parts.values():
            each.rewind()

    @property
    def unused(self) -> int:
        """How many draws nobody has asked for."""
        return len(self._left)


@final
class GivenStream:
    """The numbers of one part; what is new to it is the next of all that is left.

    Args:
        left: Shared by all parts, which take from it in turn.
    """

    def __init__(self, left: list[Tensor]) -> None:
        self._left = left
        self._had: list[Tensor] = []
        self._next = 0

    def of(self, part: str) -> GivenStream:
        """Return itself: the draws within a part come in one order."""
        return self

    def rewind(self) -> None:
        """Begin anew with the first numbers."""
        self._next = 0

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return the next numbers.

        Raises:
            ValueError: They are of another shape, or there are none left.
        """
        if self._next == len(self._had) and self._left:
            self._had.append(self._left.pop(0))
        wanted, found = (like.shape[0], num, channels), self._had[self._next : self._next + 1]
        shapes = [tuple(each.shape) for each in found]
        if shapes != [wanted]:
            raise ValueError(f"Noise of shape {wanted} is asked for, but what is left is {shapes}.")
        self._next += 1
        return found[0].to(like)

    uniform = normal


@contextmanager
def drawing_from(acoustic: AcousticModel, noise: GraphNoise | GivenNoise) -> Iterator[None]:
    """Let a model speak with the numbers of a noise, whatever seed it is given."""
    honest = acoustic.side_inputs

    def side_inputs(extras: Any, *padding_masks: Tensor, **others: Any) -> dict[str, Any]:
        return honest(extras, *padding_masks, **{**others, "noise": cast("RowNoise", noise)})

    acoustic.side_inputs = side_inputs  # type: ignore[method-assign]
    try:
        yield
    finally:
        del acoustic.side_inputs
