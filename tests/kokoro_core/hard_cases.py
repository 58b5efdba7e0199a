"""Small components in the shapes of published architectures that the contracts must carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import (
    AutoregressiveDecoder,
    DecoderOutput,
    DurationOutput,
    DurationPredictor,
    Encoder,
    ParallelDecoder,
    Postnet,
    State,
)
from kokoro_core.nn.shift import shift_right
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import DecoderParams, DurationPredictorParams, EncoderParams, PostnetParams
from kokoro_core.tensors.masks import attend_mask, lengths_from_padding_mask, zero_padding
from kokoro_core.tensors.noise import RowNoise


@dataclass
class LstmState(State):
    """Non-Attentive Tacotron: the state of an LSTM and where it is."""

    position: int
    memory: Tensor
    hidden: Tensor
    cell: Tensor


@final
class LstmDecoder(AutoregressiveDecoder):
    """An LSTM over regulated frames, no attention (Non-Attentive Tacotron, Shen et al., 2020)."""

    def __init__(self, *, hidden_dim: int, mel_dim: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(hidden_dim + mel_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, mel_dim + 1)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        frames = shift_right(zero_padding(mel_specs, mel_padding_mask))
        state = self.init_state(memory, memory_padding_mask, frames.shape[1])
        mel, stop_logits = self.step(frames, state)
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask), zero_padding(stop_logits, mel_padding_mask)
        )

    def init_state(self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int) -> LstmState:
        zeros = memory.new_zeros(memory.shape[0], self.cell.hidden_size)
        return LstmState(0, memory, zeros, zeros)

    def step(self, frames: Tensor, state: LstmState) -> tuple[Tensor, Tensor]:
        made = []
        for frame in frames.unbind(1):
            x = torch.cat([frame, state.memory[:, state.position]], -1)
            state.hidden, state.cell = self.cell(x, (state.hidden, state.cell))
            state.position += 1
            made.append(self.out(state.hidden))
        result = torch.stack(made, 1)
        return result[..., :-1], result[..., -1]


@dataclass
class TokenState(State):
    """Memory and everything fed so far."""

    memory: Tensor
    padding_mask: Tensor
    fed: Tensor


@final
class TokenDecoder(AutoregressiveDecoder):
    """Reads phonemes through attention, r frames a step (SpeechT5, Ao et al., 2022)."""

    def __init__(self, *, hidden_dim: int, mel_dim: int, reduction_factor: int) -> None:
        super().__init__()
        self.reduction_factor = reduction_factor
        self.prenet = nn.Linear(mel_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, reduction_factor * (mel_dim + 1))

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        speaker: Tensor,
    ) -> DecoderOutput:
        mel_specs = zero_padding(mel_specs, mel_padding_mask)
        state = self.init_state(memory, memory_padding_mask, 0, speaker=speaker)
        mel, stop_logits = self.step(shift_right(mel_specs, self.reduction_factor), state)
        num = mel_specs.shape[1]
        return DecoderOutput(
            zero_padding(mel[:, :num], mel_padding_mask),
            zero_padding(stop_logits[:, :num], mel_padding_mask),
        )

    def init_state(
        self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int, *, speaker: Tensor
    ) -> TokenState:
        memory = zero_padding(memory + speaker.unsqueeze(1), memory_padding_mask)
        return TokenState(memory, memory_padding_mask, memory[:, :0])

    def step(self, frames: Tensor, state: TokenState) -> tuple[Tensor, Tensor]:
        r = self.reduction_factor
        fed = self.prenet(frames[:, r - 1 :: r])
        state.fed = torch.cat([state.fed, fed], 1)
        before = state.fed.cumsum(1)[:, -fed.shape[1] :]
        weights = (before @ state.memory.transpose(1, 2)).masked_fill(
            ~attend_mask(state.padding_mask)[:, 0], float("-inf")
        )
        x = self.out(before + weights.softmax(-1) @ state.memory)
        # (B, K, r * (M + 1)) -> (B, K * r, M + 1)
        x = x.view(x.shape[0], -1, x.shape[-1] // r)
        return x[..., :-1], x[..., -1]


@final
class FlowDecoder(ParallelDecoder):
    """Flow matching with a loss of its own and an ODE solver (Matcha-TTS, Mehta et al., 2024)."""

    def __init__(self, *, hidden_dim: int, mel_dim: int, steps: int = 3) -> None:
        super().__init__()
        self.steps = steps
        self.velocity = nn.Linear(hidden_dim + mel_dim + 1, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        noise: RowNoise,
    ) -> DecoderOutput:
        target = zero_padding(mel_specs, mel_padding_mask)
        start = noise.normal(target.shape[1], target.shape[2], like=target)
        time = noise.normal(1, 1, like=target).sigmoid()
        flow = target - start
        found = self._velocity((1 - time) * start + time * target, memory, time)
        error = zero_padding((found - flow).square(), mel_padding_mask)
        count = lengths_from_padding_mask(mel_padding_mask).sum() * target.shape[2]
        mel = zero_padding(start + found, mel_padding_mask)
        return DecoderOutput(mel, losses={"flow": error.sum() / count})

    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *, noise: RowNoise
    ) -> DecoderOutput:
        x = noise.normal(memory.shape[1], self.velocity.out_features, like=memory)
        for step in range(self.steps):
            time = x.new_full((x.shape[0], 1, 1), step / self.steps)
            x = x + self._velocity(x, memory, time) / self.steps
        return DecoderOutput(zero_padding(x, memory_padding_mask))

    def _velocity(self, x: Tensor, memory: Tensor, time: Tensor) -> Tensor:
        joined = torch.cat([x, memory, time.expand(*x.shape[:2], 1)], -1)
        result: Tensor = self.velocity(joined)
        return result


@final
class StochasticDurationPredictor(DurationPredictor):
    """A likelihood as its loss and sampled frames (VITS, Kim et al., 2021)."""

    def __init__(self, *, hidden_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(hidden_dim, 1)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None = None,
        *,
        noise: RowNoise,
    ) -> DurationOutput:
        assert durations is not None
        mean = self.mean(hidden).squeeze(-1)
        error = zero_padding((torch.log1p(durations.to(mean.dtype)) - mean).square(), padding_mask)
        return DurationOutput(None, {"duration_nll": error.sum() / (~padding_mask).sum()})

    def frames(self, hidden: Tensor, padding_mask: Tensor, *, noise: RowNoise) -> Tensor:
        mean = self.mean(hidden).squeeze(-1)
        drawn = noise.normal(mean.shape[1], 1, like=mean).squeeze(-1)
        return zero_padding(F.softplus(mean + 2 * drawn) * 3, padding_mask)


@final
class SpeakerEncoder(Encoder):
    """An encoder that is told who speaks."""

    def __init__(self, *, vocab_size: int, hidden_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor, *, speaker: Tensor) -> Tensor:
        return zero_padding(self.embedding(phoneme_indices) + speaker.unsqueeze(1), padding_mask)


@final
class NoisyPostnet(Postnet):
    """Adds noise to a mel; it would look at one frame alone."""

    context = 0

    def forward(self, mel: Tensor, padding_mask: Tensor, *, noise: RowNoise) -> Tensor:
        return zero_padding(mel + noise.normal(*mel.shape[1:], like=mel), padding_mask)


class LstmParams(DecoderParams):
    """Non-Attentive Tacotron's decoder."""

    type: Literal["lstm_cell"] = "lstm_cell"

    def build(self, sizes: Sizes) -> LstmDecoder:
        return LstmDecoder(hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim)


class TokenParams(DecoderParams):
    """SpeechT5's decoder."""

    type: Literal["tokens"] = "tokens"
    reduction_factor: int = 2

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"speaker"})

    def build(self, sizes: Sizes) -> TokenDecoder:
        return TokenDecoder(
            hidden_dim=sizes.hidden_dim,
            mel_dim=sizes.mel_dim,
            reduction_factor=self.reduction_factor,
        )


class FlowParams(DecoderParams):
    """Matcha-TTS's decoder."""

    type: Literal["flow"] = "flow"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"noise"})

    def build(self, sizes: Sizes) -> FlowDecoder:
        return FlowDecoder(hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim)


class StochasticParams(DurationPredictorParams):
    """VITS's duration predictor."""

    type: Literal["drawn"] = "drawn"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"noise"})

    def build(self, sizes: Sizes) -> StochasticDurationPredictor:
        return StochasticDurationPredictor(hidden_dim=sizes.hidden_dim)


class SpeakerParams(EncoderParams):
    """An encoder with a speaker."""

    type: Literal["speaker"] = "speaker"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"speaker"})

    def build(self, sizes: Sizes) -> SpeakerEncoder:
        return SpeakerEncoder(vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim)


class NoisyPostnetParams(PostnetParams):
    """A postnet that samples."""

    type: Literal["noisy"] = "noisy"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"noise"})

    def build(self, sizes: Sizes) -> NoisyPostnet:
        return NoisyPostnet()


COMPONENTS: tuple[type[Any], ...] = (
    LstmParams,
    TokenParams,
    FlowParams,
    StochasticParams,
    SpeakerParams,
    NoisyPostnetParams,
)
