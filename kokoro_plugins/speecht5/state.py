"""What the decoder remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kokoro_core.contracts import State
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.rows import put_rows, steps_behind, steps_of
from kokoro_core.tensors.masks import lengths_from_padding_mask


@dataclass
class SpeechT5DecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Groups made so far, by the row that has most.
        max_groups: Groups there is room for.
        memory_padding_mask: (B, N) bool.
        speaker: (B, S), the speaker's vector, or None.
        own: Keys and values of the groups so far, a cache a layer.
        crossed: Keys and values of the memory, a cache a layer.
        behind: (B,) int64, by how many groups each row is behind `position`; None: none is.
    """

    position: int
    max_groups: int
    memory_padding_mask: Tensor
    speaker: Tensor | None
    own: tuple[KeyValueCache, ...]
    crossed: tuple[KeyValueCache, ...]
    behind: Tensor | None = None

    def select(self, rows: Tensor) -> SpeechT5DecoderState:
        """Return a copy with these rows; those that have made most may not be among them."""
        chosen = super().select(rows)
        if chosen.behind is not None:
            most, chosen.behind = steps_behind(-chosen.behind)
            chosen.position += most
        return chosen

    def put(self, rows: Tensor, begun: SpeechT5DecoderState) -> None:
        """Put the rows of another state in the place of some.

        Args:
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        made = self._steps().index_copy(0, rows, begun._steps())
        self.position, self.behind = steps_behind(made)
        self.max_groups = max(self.max_groups, begun.max_groups)
        mask = put_rows(self.memory_padding_mask, rows, begun.memory_padding_mask, fill=True)
        if self.speaker is not None and begun.speaker is not None:
            self.speaker = self.speaker.index_copy(0, rows, begun.speaker)
        for own, other in zip(self.own, begun.own, strict=True):
            own.put_rows(rows, other)
            own.shorten(self.position + 1)
        longest = int(lengths_from_padding_mask(mask).max())
        for crossed, other in zip(self.crossed, begun.crossed, strict=True):
            crossed.put_rows(rows, other)
            crossed.shorten(longest)
        self.memory_padding_mask = mask[:, : self.crossed[0].keys.shape[2]]

    def _steps(self) -> Tensor:
        """Return how many groups each row has made, (B,) int64."""
        return steps_of(self.position, self.behind, self.memory_padding_mask)
