"""`LstmDecoder`: the autoregressive decoder, whose state is that of its LSTMs."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, Plan
from kokoro_core.nn.prenet import Prenet
from kokoro_core.nn.recurrent import run_lstm
from kokoro_core.nn.rows import rows_at
from kokoro_core.nn.shift import shift_right
from kokoro_core.tensors.durations import place_in_phoneme
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.non_attentive_tacotron.state import LstmDecoderState


@final
class LstmDecoder(AutoregressiveDecoder):
    """Tacotron 2's decoder without attention (Shen et al., 2020, section 3).

    The frame before, through a prenet, and the memory of the frame to be made go through LSTMs;
    their output and the memory give the frame. The memory has sinusoids beside it that say how far
    its phoneme has come. Who ends a row is the plan: there is no stop head.

    Args:
        mel_dim: Mel channels (M).
        hidden_dim: Width of the memory (H).
        prenet_dim: Width of both layers of the prenet.
        lstm_dim: Width of each recurrent layer.
        num_layers: Number of recurrent layers.
        place_dim: Channels of the sinusoids (P), even; 0: none.
        dropout: Probability of dropout in the prenet.
        speaking_dropout: Whether the prenet drops in speaking too, as Tacotron 2's does.
    """

    replaces_rows = True

    def __init__(
        self,
        *,
        mel_dim: int,
        hidden_dim: int,
        prenet_dim: int = 256,
        lstm_dim: int = 1024,
        num_layers: int = 2,
        place_dim: int = 32,
        dropout: float = 0.5,
        speaking_dropout: bool = True,
    ) -> None:
        super().__init__()
        self.place_dim = place_dim
        self.draws_in_step = speaking_dropout and dropout > 0
        width = hidden_dim + place_dim
        self.prenet = Prenet(mel_dim=mel_dim, width=prenet_dim, dropout=dropout)
        self.lstm = nn.LSTM(prenet_dim + width, lstm_dim, num_layers, batch_first=True)
        self.mel_out = nn.Linear(lstm_dim + width, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        plan: Plan | None = None,
    ) -> DecoderOutput:
        """Predict every frame from the true frames before it.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: There are more or fewer memory vectors than frames, or a plan is missing.
        """
        if memory.shape[1] != mel_specs.shape[1]:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and "
                f"{mel_specs.shape[1]} frames; use a regulator."
            )
        memory = zero_padding(self._placed(memory, memory_padding_mask, plan), mel_padding_mask)
        if memory.shape[1] == 0:  # which torch's LSTM refuses
            return DecoderOutput(torch.zeros_like(mel_specs))
        fed = shift_right(zero_padding(mel_specs, mel_padding_mask))
        made, _ = run_lstm(self.lstm, torch.cat([self.prenet(fed), memory], dim=2))
        mel = self.mel_out(torch.cat([made, memory], dim=2))
        return DecoderOutput(zero_padding(mel, mel_padding_mask))

    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
        *,
        plan: Plan | None = None,
    ) -> LstmDecoderState:
        """Return the LSTMs at rest.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.
        """
        memory = self._placed(memory, memory_padding_mask, plan)
        # (B, T, H + P) -> (B, max_frames, H + P)
        memory = F.pad(memory, (0, 0, 0, max(0, max_frames - memory.shape[1])))[:, :max_frames]
        rest = memory.new_zeros(memory.shape[0], self.lstm.num_layers, self.lstm.hidden_size)
        return LstmDecoderState(0, memory, rest, rest.clone())

    def ends(self, stop_logits: Tensor, threshold: float) -> Tensor:
        """Return that no frame is the last: the plan ends the rows.

        Shape:
            stop_logits: (B, k). Returns: (B, k) bool.
        """
        return torch.zeros_like(stop_logits, dtype=torch.bool)

    def step(
        self, frames: Tensor, state: LstmDecoderState, noise: RowNoise | None = None
    ) -> tuple[Tensor, Tensor]:
        """Make the next K frames, each from the frame before it.

        Args:
            frames: (B, K, M).
            state: Of the frames so far; it is changed.
            noise: What the prenet drops by; None: it drops nothing.

        Returns:
            mel (B, K, M) and stop_logits (B, K), all 0.

        Raises:
            ValueError: The state has no room for K more frames.
        """
        start, end = state.position, state.position + frames.shape[1]
        if end > state.memory.shape[1]:
            raise ValueError(
                f"`step` has room for {state.memory.shape[1]} frames but was asked for frame "
                f"{end}; give `init_state` a larger `max_frames`."
            )
        memory = state.memory[:, start:end]
        if state.behind is not None:
            now = torch.arange(start, end, device=frames.device)
            memory = rows_at(state.memory, now - state.behind.unsqueeze(1))
        fed = torch.cat([self.prenet.speak(frames, noise), memory], dim=2)
        # (B, layers, C) -> (layers, B, C), as torch has it
        hidden, cell = state.hidden.transpose(0, 1), state.cell.transpose(0, 1)
        before = (hidden.contiguous(), cell.contiguous())
        made, (hidden, cell) = run_lstm(self.lstm, fed, before)
        state.hidden, state.cell, state.position = hidden.transpose(0, 1), cell.transpose(0, 1), end
        mel = self.mel_out(torch.cat([made, memory], dim=2))
        return mel, mel.new_zeros(mel.shape[:2])

    def replace_rows(
        self, state: LstmDecoderState, rows: Tensor, begun: LstmDecoderState
    ) -> LstmDecoderState:
        """Put the rows of another state in the place of some.

        Args:
            state: Of B rows.
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        state.put(rows, begun)
        return state

    def _placed(self, memory: Tensor, padding_mask: Tensor, plan: Plan | None) -> Tensor:
        """Put the sinusoids of the frames since their phoneme's start beside the memory."""
        memory = zero_padding(memory, padding_mask)
        if self.place_dim == 0:
            return memory
        if plan is None:
            raise ValueError("`place_dim` needs a plan; it works only with a regulator.")
        since, _ = place_in_phoneme(plan.durations, memory.shape[1])
        places = sinusoids(since, self.place_dim).to(memory.dtype)
        return zero_padding(torch.cat([memory, places], dim=2), padding_mask)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, of positions (Vaswani et al., 2017, section 3.5).

    Shape:
        positions: (B, T) int64. Returns: (B, T, width) float64.
    """
    half = torch.arange(width // 2, device=positions.device, dtype=torch.float64)
    angles = positions.unsqueeze(-1) * torch.exp(half * (-2 * math.log(10_000) / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
