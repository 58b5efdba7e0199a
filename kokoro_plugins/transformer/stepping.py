"""What the autoregressive decoder remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, State
from kokoro_core.nn.cache import KeyValueCache


@final
class Shared:
    """What all rows of a state share; rows that are selected share it too.

    Attributes:
        decoder: The decoder, its weights laid out for steps.
        positions: (T,) int64, 0, 1, 2, … as far as any frame or memory vector.
    """

    def __init__(self, *, decoder: AutoregressiveDecoder, positions: Tensor) -> None:
        self.decoder = decoder
        self.positions = positions


@dataclass
class TransformerDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Frames made so far.
        max_frames: Frames there is room for.
        memory: (B, max_frames / r, H), what is added to the input; 0 past the memory's end.
        memory_mask: (B, 1, 1, Tm), what is added to the scores of the memory; None: nothing.
        own: Keys and values of the groups so far, a cache a layer.
        crossed: Keys and values of the memory, a cache a layer.
        shared: What is the same for all rows.
    """

    position: int
    max_frames: int
    memory: Tensor
    memory_mask: Tensor | None
    own: tuple[KeyValueCache, ...]
    crossed: tuple[KeyValueCache, ...]
    shared: Shared
