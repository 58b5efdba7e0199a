"""What the decoder over latents remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kokoro_core.contracts import State
from kokoro_core.nn.cache import KeyValueCache


@dataclass
class LatentDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Groups made so far.
        steps: Euler steps of the flow.
        memory: (B, max_groups, r · H), the memory of each group.
        noise_scale: (B, 1, 1), what the noise is multiplied by.
        own: Keys and values of the groups so far, a cache a layer.
    """

    position: int
    steps: int
    memory: Tensor
    noise_scale: Tensor
    own: tuple[KeyValueCache, ...]
