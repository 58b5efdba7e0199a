"""What the autoregressive decoder remembers between steps, and the parts that it steps with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import State
from kokoro_core.nn.cache import KeyValueCache
from kokoro_plugins.transformer.layers import DecoderLayer


@dataclass(frozen=True)
class StepParts:
    """The decoder's layers, their weights laid out for decoding step by step.

    Attributes:
        frame_in: The way in.
        layers: Views of the stack's layers.
        mel_out: The way out, of mel and stop logits where they are one.
        stop_out: The way out of the stop logits, or None.
    """

    frame_in: nn.Module
    layers: tuple[DecoderLayer, ...]
    mel_out: nn.Module
    stop_out: nn.Module | None


@final
class Shared:
    """What all rows of a state share; rows that are selected share it too.

    Attributes:
        parts: What a step runs.
        positions: (T,) int64, 0, 1, 2, … as far as any frame or memory vector.
    """

    def __init__(self, *, parts: StepParts, positions: Tensor) -> None:
        self.parts = parts
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
