"""Noise that is recorded and replayed, so that runs which cannot draw get equal numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.tensors.noise import RowNoise


class NoiseTape:
    """The numbers that each noise of a call has drawn, in order of creation.

    A graph cannot hold the drawing itself, which makes a generator per row. So an eager call draws
    first, and the compiled one gets the same numbers as inputs.
    """

    def __init__(self) -> None:
        self.drawn: list[list[Tensor]] = []

    def recording(self, seeds: Tensor) -> RecordingNoise:
        """Return noise whose draws are recorded."""
        self.drawn.append([])
        return RecordingNoise(RowNoise(seeds.tolist()), self.drawn[-1])

    def replaying(self) -> Any:
        """Return a factory of noises that give the recorded numbers, once, in the same order."""
        left = iter(self.drawn)
        return lambda _: ReplayedNoise(next(left))


class RecordingNoise:
    """Draws like `RowNoise` and records the draws."""

    def __init__(self, noise: RowNoise, drawn: list[Tensor]) -> None:
        self.seeds = noise.seeds
        self._noise = noise
        self._drawn = drawn

    def of(self, part: str) -> RecordingNoise:
        """Return the noise of a part, which is recorded on the same tape."""
        return RecordingNoise(self._noise.of(part), self._drawn)

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Draw (B, num, channels)."""
        self._drawn.append(self._noise.normal(num, channels, like=like))
        return self._drawn[-1]


class ReplayedNoise:
    """Gives recorded numbers in place of new ones."""

    def __init__(self, drawn: Sequence[Tensor]) -> None:
        self._drawn = list(drawn)
        self._calls = 0  # an iterator would break the graph

    def of(self, part: str) -> ReplayedNoise:
        """Return itself: the numbers are given in the order in which they were drawn."""
        return self

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return the tensor that the same call drew."""
        self._calls += 1
        return self._drawn[self._calls - 1]


@contextmanager
def rows_drawing_from(model: KokoroModel, seeds: Sequence[int]) -> Iterator[None]:
    """Seed the noise of each row of a model in training, as generation does.

    In training seeds come from torch's generator, so that a row alone would get another one.
    """
    acoustic = model.acoustic
    honest = acoustic.side_inputs

    def side_inputs(
        extras: Any, *padding_masks: Tensor, noise: RowNoise | None = None, **others: Any
    ) -> dict[str, Any]:
        return honest(extras, *padding_masks, noise=noise or RowNoise(seeds), **others)

    acoustic.side_inputs = side_inputs  # type: ignore[method-assign]
    try:
        yield
    finally:
        del acoustic.side_inputs
