"""Noise that was drawn before, so that runs which cannot draw are compared on equal numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.tensors.noise import RowNoise


class Draws:
    """What each noise of a call has drawn, in the order in which they are made.

    No graph can hold the drawing itself, which makes a generator a row. So a call draws first, and
    the compiled one gets the same numbers as inputs.
    """

    def __init__(self) -> None:
        self.drawn: list[list[Tensor]] = []

    def recording(self, seeds: Tensor) -> Recording:
        """Return noise that remembers what it draws."""
        self.drawn.append([])
        return Recording(RowNoise(seeds.tolist()), self.drawn[-1])

    def replaying(self) -> Any:
        """Return what makes noise of the same numbers, once each, in the same order."""
        left = iter(self.drawn)
        return lambda _: Replay(next(left))


class Recording:
    """Draws like `RowNoise`, and remembers."""

    def __init__(self, noise: RowNoise, drawn: list[Tensor]) -> None:
        self.seeds = noise.seeds
        self._noise = noise
        self._drawn = drawn

    def of(self, part: str) -> Recording:
        """Return the noise of a part, whose draws are remembered among the others."""
        return Recording(self._noise.of(part), self._drawn)

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Draw (B, num, channels)."""
        self._drawn.append(self._noise.normal(num, channels, like=like))
        return self._drawn[-1]


class Replay:
    """Gives what was drawn before."""

    def __init__(self, drawn: Sequence[Tensor]) -> None:
        self._drawn = list(drawn)
        self._calls = 0

    def of(self, part: str) -> Replay:
        """Return itself: draws are given in the order in which they were made."""
        return self

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return what the same call drew before."""
        self._calls += 1
        return self._drawn[self._calls - 1]


@contextmanager
def rows_drawing_from(model: KokoroModel, seeds: Sequence[int]) -> Iterator[None]:
    """Let each row of a model in training draw from a seed of its own, as speaking does.

    In training the seeds come from torch's generator, so that a row alone would have another.
    """
    acoustic = model.acoustic
    honest = acoustic.side_inputs

    def side_inputs(
        extras: Any, *padding_masks: Tensor, noise: RowNoise | None = None
    ) -> dict[str, Any]:
        return honest(extras, *padding_masks, noise=noise or RowNoise(seeds))

    acoustic.side_inputs = side_inputs  # type: ignore[method-assign]
    try:
        yield
    finally:
        del acoustic.side_inputs
