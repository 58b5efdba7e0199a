"""What the decoder remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kokoro_core.contracts import State
from kokoro_core.nn.cache import KeyValueCache


@dataclass
class SpeechT5DecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Groups made so far.
        max_groups: Groups there is room for.
        memory_padding_mask: (B, N) bool.
        speaker: (B, S), the speaker's vector, or None.
        own: Keys and values of the groups so far, a cache a layer.
        crossed: Keys and values of the memory, a cache a layer.
    """

    position: int
    max_groups: int
    memory_padding_mask: Tensor
    speaker: Tensor | None
    own: tuple[KeyValueCache, ...]
    crossed: tuple[KeyValueCache, ...]
