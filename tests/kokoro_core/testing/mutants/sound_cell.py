"""A sound recurrent decoder, with seams for mutants."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, State
from kokoro_core.nn.shift import shift_right
from kokoro_core.params.sizes import Sizes
from tests.kokoro_core.testing.mutants.blocks import require, zeroed


@dataclass
class Celled(State):
    """The state of the cell (B, H) each, the memory, and the frames made."""

    position: int
    memory: Tensor
    hidden: Tensor
    cell: Tensor


class CellDecoder(AutoregressiveDecoder):
    """An LSTM cell over the memory of each frame (Non-Attentive Tacotron, Shen et al., 2020)."""

    def __init__(self, *, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.hidden_dim + sizes.mel_dim, sizes.hidden_dim)
        self.out = nn.Linear(sizes.hidden_dim, sizes.mel_dim + 1)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict all frames of mel_specs (B, T, M)."""
        require(memory, memory_padding_mask, 3, "memory")
        require(mel_specs, mel_padding_mask, 3, "mel_specs")
        if memory.shape[1] != mel_specs.shape[1]:
            raise ValueError("There must be one memory vector a frame.")
        fed = shift_right(zeroed(mel_specs, mel_padding_mask))
        state = self.init_state(memory, memory_padding_mask, fed.shape[1])
        mel, stop_logits = self.run(fed, state)
        return DecoderOutput(zeroed(mel, mel_padding_mask), zeroed(stop_logits, mel_padding_mask))

    def init_state(self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int) -> Celled:
        """Return the state before the first frame."""
        zeros = memory.new_zeros(memory.shape[0], self.cell.hidden_size)
        return self.state(0, zeroed(memory, memory_padding_mask), zeros, zeros)

    def state(self, *fields: object) -> Celled:
        """Return a state."""
        return Celled(*fields)  # type: ignore[arg-type]

    def step(self, frames: Tensor, state: Celled) -> tuple[Tensor, Tensor]:
        """Make the next frames from frames (B, K, M)."""
        return self.run(frames, state)

    def run(self, frames: Tensor, state: Celled) -> tuple[Tensor, Tensor]:
        """Run the cell over frames (B, K, M)."""
        made = []
        for frame in frames.unbind(1):
            heard = torch.cat([frame, self.read(state)], 1)
            state.hidden, state.cell = self.cell(heard, (state.hidden, state.cell))
            state.position += 1
            made.append(self.out(state.hidden))
        result = torch.stack(made, 1)
        return result[..., :-1], result[..., -1]

    def read(self, state: Celled) -> Tensor:
        """Return the memory of the frame that is next."""
        return state.memory[:, state.position]
