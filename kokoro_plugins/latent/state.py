"""What the decoder over latents remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kokoro_core.contracts import State
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.rows import put_rows, steps_behind, steps_of


@dataclass
class LatentDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Groups made so far, by the row that has most.
        steps: Euler steps of the flow.
        memory: (B, max_groups, r · H), the memory of each group.
        noise_scale: (B, 1, 1), what the noise is multiplied by.
        own: Keys and values of the groups so far, a cache a layer.
        behind: (B,) int64, by how many groups each row is behind `position`; None: none is.
    """

    position: int
    steps: int
    memory: Tensor
    noise_scale: Tensor
    own: tuple[KeyValueCache, ...]
    behind: Tensor | None = None

    def select(self, rows: Tensor) -> LatentDecoderState:
        """Return a copy with these rows; those that have made most may not be among them."""
        chosen = super().select(rows)
        if chosen.behind is not None:
            most, chosen.behind = steps_behind(-chosen.behind)
            chosen.position += most
        return chosen

    def put(self, rows: Tensor, begun: LatentDecoderState) -> None:
        """Put the rows of another state in the place of some.

        Args:
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        made = self._steps().index_copy(0, rows, begun._steps())
        self.position, self.behind = steps_behind(made)
        self.memory = put_rows(self.memory, rows, begun.memory)
        self.noise_scale = self.noise_scale.index_copy(0, rows, begun.noise_scale)
        for own, other in zip(self.own, begun.own, strict=True):
            own.put_rows(rows, other)
            own.shorten(self.position + 1)

    def _steps(self) -> Tensor:
        """Return how many groups each row has made, (B,) int64."""
        return steps_of(self.position, self.behind, self.memory)
