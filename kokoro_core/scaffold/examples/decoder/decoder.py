"""`ExampleDecoder`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, State
from kokoro_core.nn.shift import shift_right
from kokoro_core.tensors.masks import zero_padding


@dataclass
class ExampleState(State):
    """What the decoder remembers.

    Attributes:
        position: Frames made so far.
        memory: (B, max_frames, H), 0 past its end.
        hidden: (B, H), of the recurrent layer.
    """

    position: int
    memory: Tensor
    hidden: Tensor


@final
class ExampleDecoder(AutoregressiveDecoder):
    """Makes a frame from the frame before it, the memory and what it remembers.

    Args:
        mel_dim: Mel channels (M).
        hidden_dim: Width of the memory (H).
        dropout: Of the input, in training.
    """

    def __init__(self, *, mel_dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.frame_in = nn.Linear(mel_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.GRU(hidden_dim, hidden_dim, batch_first=True)
        self.mel_out = nn.Linear(hidden_dim, mel_dim)
        self.stop_out = nn.Linear(hidden_dim, 1)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict every frame from the true frames before it.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: The memory has not one vector a frame.
        """
        if memory.shape[1] != mel_specs.shape[1]:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and "
                f"{mel_specs.shape[1]} frames; this decoder needs a regulator."
            )
        frames = shift_right(zero_padding(mel_specs, mel_padding_mask))
        state = self.init_state(memory, memory_padding_mask, memory.shape[1])
        mel, stop_logits = self.step(frames, state)
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask), zero_padding(stop_logits, mel_padding_mask)
        )

    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
    ) -> ExampleState:
        """Return the state before the first frame.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.
        """
        memory = zero_padding(memory, memory_padding_mask)
        # (B, T, H) -> (B, max_frames, H)
        memory = F.pad(memory, (0, 0, 0, max(0, max_frames - memory.shape[1])))[:, :max_frames]
        return ExampleState(0, memory, memory.new_zeros(memory.shape[0], memory.shape[2]))

    def step(self, frames: Tensor, state: ExampleState) -> tuple[Tensor, Tensor]:
        """Make the next K frames, each from the frame before it.

        Shape:
            frames: (B, K, M). Returns: mel (B, K, M) and stop_logits (B, K).

        Raises:
            ValueError: The state has no room for K more frames.
        """
        end = state.position + frames.shape[1]
        if end > state.memory.shape[1]:
            raise ValueError(
                f"`step` has room for {state.memory.shape[1]} frames but was asked for frame "
                f"{end}; give `init_state` a larger `max_frames`."
            )
        x = self.dropout(self.frame_in(frames) + state.memory[:, state.position : end])
        # (B, H) -> (1, B, H), as torch's recurrent layers have it
        x, hidden = self.recurrent(x, state.hidden.unsqueeze(0))
        state.position, state.hidden = end, hidden.squeeze(0)
        # (B, K, 1) -> (B, K)
        return self.mel_out(x), self.stop_out(x).squeeze(-1)
