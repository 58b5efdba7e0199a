"""What the recurrent decoder remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kokoro_core.contracts import State


@dataclass
class LstmDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Frames made so far.
        memory: (B, max_frames, H + P), the memory with the place of each frame in its phoneme.
        hidden: (B, layers, C), the output of each recurrent layer.
        cell: (B, layers, C), the cell of each recurrent layer.
    """

    position: int
    memory: Tensor
    hidden: Tensor
    cell: Tensor
