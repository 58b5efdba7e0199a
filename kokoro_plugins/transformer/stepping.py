"""What the autoregressive decoder remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, State
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.rows import put_rows, steps_behind, steps_of
from kokoro_plugins.transformer.step_layer import StepLayer


@final
class Shared:
    """What all rows of a state share; rows that are selected share it too.

    Attributes:
        group: Frames of a step (r).
        decoder: The decoder, its weights laid out for steps.
        positions: (T,) int64, 0, 1, 2, … as far as any frame or memory vector.
        layers: The decoder's layers for steps of one group; None: the layers themselves make them.
    """

    def __init__(
        self,
        *,
        group: int,
        decoder: AutoregressiveDecoder,
        positions: Tensor,
        layers: tuple[StepLayer, ...] | None,
    ) -> None:
        self.group = group
        self.decoder = decoder
        self.positions = positions
        self.layers = layers


@dataclass
class TransformerDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Frames made so far, by the row that has most.
        max_frames: Frames there is room for.
        memory: (B, max_frames / r, H), what is added to the input; 0 past the memory's end.
        memory_mask: (B, 1, 1, Tm), what is added to the scores of the memory; None: nothing.
        own: Keys and values of the groups so far, a cache a layer.
        crossed: Keys and values of the memory, a cache a layer.
        shared: What is the same for all rows.
        behind: (B,) int64, by how many groups each row is behind `position`; None: none is.
    """

    position: int
    max_frames: int
    memory: Tensor
    memory_mask: Tensor | None
    own: tuple[KeyValueCache, ...]
    crossed: tuple[KeyValueCache, ...]
    shared: Shared
    behind: Tensor | None = None

    def select(self, rows: Tensor) -> TransformerDecoderState:
        """Return a copy with these rows; those that have made most may not be among them."""
        chosen = super().select(rows)
        if chosen.behind is not None:
            most, chosen.behind = steps_behind(-chosen.behind)
            chosen.position += most * self.shared.group
        return chosen

    def put(self, rows: Tensor, begun: TransformerDecoderState) -> None:
        """Put the rows of another state in the place of some.

        Args:
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        made = self._groups().index_copy(0, rows, begun._groups())
        groups, self.behind = steps_behind(made)
        self.position = groups * self.shared.group
        self.max_frames = max(self.max_frames, begun.max_frames)
        self.memory = put_rows(self.memory, rows, begun.memory)
        self._put_memory(rows, begun)
        for own, other in zip(self.own, begun.own, strict=True):
            own.put_rows(rows, other)
            own.shorten(groups + 1)
        if len(begun.shared.positions) > len(self.shared.positions):
            self.shared.positions = begun.shared.positions

    def _groups(self) -> Tensor:
        """Return how many groups each row has made, (B,) int64."""
        return steps_of(self.position // self.shared.group, self.behind, self.memory)

    def _put_memory(self, rows: Tensor, begun: TransformerDecoderState) -> None:
        """Replace rows of what is attended to, as long as the longest row needs."""
        mask = put_rows(_whole(self), rows, _whole(begun), dim=3, fill=float("-inf"))
        # (B, 1, 1, Tm) -> ()
        longest = int((mask == 0).sum(3).max())
        for crossed, other in zip(self.crossed, begun.crossed, strict=True):
            crossed.put_rows(rows, other)
            crossed.shorten(longest)
        self.memory_mask = mask[..., : self.crossed[0].keys.shape[2]]


def _whole(state: TransformerDecoderState) -> Tensor:
    """Return the mask of a state's memory, written out if nothing of it is padding."""
    if state.memory_mask is not None:
        return state.memory_mask
    keys = state.crossed[0].keys
    return keys.new_zeros(keys.shape[0], 1, 1, keys.shape[2])
