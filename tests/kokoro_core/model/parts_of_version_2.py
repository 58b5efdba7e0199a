"""Small components that use each thing that version 2 of the contracts brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import (
    Adaptor,
    AdaptorOutput,
    Aligner,
    AlignerOutput,
    AutoregressiveDecoder,
    Conditioner,
    DecoderOutput,
    DurationOutput,
    DurationPredictor,
    Encoder,
    EncoderOutput,
    ParallelDecoder,
    State,
)
from kokoro_core.nn.shift import shift_right
from kokoro_core.params.features import Feature
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import (
    AdaptorParams,
    AlignerParams,
    ConditionerParams,
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
)
from kokoro_core.tensors.masks import lengths_from_padding_mask, zero_padding
from kokoro_core.tensors.noise import RowNoise


@final
class PriorEncoder(Encoder):
    """Gives a prior mean beside the hidden vectors."""

    def __init__(self, *, vocab_size: int, hidden_dim: int, mel_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.mu = nn.Linear(hidden_dim, mel_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> EncoderOutput:
        hidden = zero_padding(self.embedding(phoneme_indices), padding_mask)
        mu = zero_padding(self.mu(hidden), padding_mask)
        return EncoderOutput(hidden, {"mu": mu}, {"size": hidden.square().mean()})


class PriorEncoderParams(EncoderParams):
    """Gives a prior mean beside the hidden vectors."""

    type: Literal["prior"] = "prior"

    def gives_parts(self, sizes: Sizes) -> Mapping[str, int]:
        return {"mu": sizes.mel_dim}

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"size": 0.5}

    def build(self, sizes: Sizes) -> PriorEncoder:
        return PriorEncoder(
            vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim
        )


@final
class EvenAligner(Aligner):
    """Gives each phoneme as many frames as the others, the first ones one more."""

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        mu: Tensor,
    ) -> AlignerOutput:
        phonemes = lengths_from_padding_mask(padding_mask).unsqueeze(1)
        frames = lengths_from_padding_mask(mel_padding_mask).unsqueeze(1)
        share, left = frames // phonemes, frames % phonemes
        durations = share + (torch.arange(padding_mask.shape[1]) < left)
        return AlignerOutput(durations.masked_fill(padding_mask, 0), {"prior": mu.square().mean()})


class EvenAlignerParams(AlignerParams):
    """Gives each phoneme as many frames as the others."""

    type: Literal["even"] = "even"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"mu"})

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"prior": None}

    def build(self, sizes: Sizes) -> EvenAligner:
        return EvenAligner()


@final
class CurveAdaptor(Adaptor):
    """Predicts one number a step and adds its embedding."""

    def __init__(self, *, hidden_dim: int) -> None:
        super().__init__()
        self.predictor = nn.Linear(hidden_dim, 1)
        self.embedding = nn.Linear(1, hidden_dim)

    def forward(
        self,
        x: Tensor,
        padding_mask: Tensor,
        *,
        target: Tensor | None = None,
        control: float = 1.0,
    ) -> AdaptorOutput:
        prediction = zero_padding(self.predictor(x).squeeze(2), padding_mask)
        used = prediction * control if target is None else target
        x = zero_padding(x + self.embedding(used.unsqueeze(2)), padding_mask)
        losses = {} if target is None else {"prediction": (prediction - target).square().mean()}
        return AdaptorOutput(x, prediction, losses)


class CurveAdaptorParams(AdaptorParams):
    """Predicts one number a step and adds its embedding.

    Attributes:
        feature: What it learns from; null for the feature of its own name.
    """

    type: Literal["curve"] = "curve"
    feature: str | None = None

    @property
    def target(self) -> Feature | None:
        return Feature()

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"prediction": 2.0}

    def build(self, sizes: Sizes) -> CurveAdaptor:
        return CurveAdaptor(hidden_dim=sizes.hidden_dim)


@final
class MeanRecording(Conditioner):
    """The mean frame of a recording."""

    def forward(
        self, *args: Any, reference: Tensor, reference_padding_mask: Tensor, **features: Any
    ) -> Tensor:
        valid = lengths_from_padding_mask(reference_padding_mask).unsqueeze(1)
        mean: Tensor = zero_padding(reference, reference_padding_mask).sum(1) / valid
        return mean


class MeanRecordingParams(ConditionerParams):
    """The mean frame of a recording."""

    type: Literal["mean"] = "mean"

    @property
    def features(self) -> Mapping[str, Feature]:
        recording = Feature(per="recording")
        return {"reference": recording, "reference_padding_mask": recording}

    def width(self, sizes: Sizes) -> int:
        return sizes.mel_dim

    def build(self, sizes: Sizes) -> MeanRecording:
        return MeanRecording()


@final
class CeilingPredictor(DurationPredictor):
    """Says for each phoneme the fraction of a frame that is set, and takes the next whole one."""

    rounding = "up"

    def __init__(self, *, frames: float) -> None:
        super().__init__()
        self.log_frames = nn.Parameter(torch.tensor(frames).log1p())

    def forward(
        self, hidden: Tensor, padding_mask: Tensor, durations: Tensor | None = None
    ) -> DurationOutput:
        return DurationOutput(zero_padding(self.log_frames.expand(hidden.shape[:2]), padding_mask))


class CeilingPredictorParams(DurationPredictorParams):
    """Says the same number of frames for each phoneme.

    Attributes:
        frames: How many.
    """

    type: Literal["ceiling"] = "ceiling"
    frames: float = 1.25

    def build(self, sizes: Sizes) -> CeilingPredictor:
        return CeilingPredictor(frames=self.frames)


@final
class MuDecoder(ParallelDecoder):
    """The expanded prior mean with noise of a temperature, and a loss that the mel's joins."""

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        mu: Tensor,
        noise: RowNoise,
        speaker_embedding: Tensor | None = None,
    ) -> DecoderOutput:
        drawn = noise.uniform(mu.shape[1], mu.shape[2], like=mu)
        flow = zero_padding(drawn * (mu - mel_specs), mel_padding_mask).square().sum()
        return DecoderOutput(zero_padding(mu, mel_padding_mask), losses={"flow": flow})

    def infer(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        *,
        mu: Tensor,
        noise: RowNoise,
        temperature: float = 1.0,
        speaker_embedding: Tensor | None = None,
    ) -> DecoderOutput:
        mel = mu + temperature * noise.normal(mu.shape[1], mu.shape[2], like=mu)
        return DecoderOutput(zero_padding(mel, memory_padding_mask))


class MuDecoderParams(DecoderParams):
    """The expanded prior mean with noise of a temperature.

    Attributes:
        speaker: Whether it is given the vector of the conditioner `speaker`.
    """

    parallel = True
    type: Literal["mu"] = "mu"
    speaker: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"mu", "noise", *(("speaker_embedding",) if self.speaker else ())})

    @property
    def options(self) -> Mapping[str, Option]:
        return {"temperature": Option(1.0, low=0.0, high=2.0, help="Scale of the noise.")}

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"flow": 0.25}

    @property
    def replaces(self) -> frozenset[str]:
        return frozenset()

    def build(self, sizes: Sizes) -> MuDecoder:
        return MuDecoder()


@dataclass
class DrawingState(State):
    """Where a drawing decoder is."""

    position: int
    memory: Tensor


@final
class DrawingDecoder(AutoregressiveDecoder):
    """Adds noise that it draws in each step, and ends by the sum of a group's probabilities."""

    reduction_factor = 2
    draws_in_step = True

    def __init__(self, *, hidden_dim: int, mel_dim: int, stop: float) -> None:
        super().__init__()
        self.out = nn.Linear(hidden_dim, mel_dim)
        self.stop = nn.Parameter(torch.tensor(stop))

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        mel = self.out(memory) + shift_right(zero_padding(mel_specs, mel_padding_mask), 2)
        stop = self.stop.expand(mel.shape[:2])
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask), zero_padding(stop, mel_padding_mask)
        )

    def init_state(
        self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int
    ) -> DrawingState:
        lacking = max_frames - memory.shape[1]
        return DrawingState(0, nn.functional.pad(memory, (0, 0, 0, max(0, lacking))))

    def step(self, frames: Tensor, state: Any, noise: RowNoise) -> tuple[Tensor, Tensor]:
        steps = frames.shape[1]
        memory = state.memory[:, state.position : state.position + steps]
        state.position += steps
        mel = self.out(memory) + frames + noise.normal(steps, frames.shape[2], like=frames)
        return mel, self.stop.expand(frames.shape[:2])

    def ends(self, stop_logits: Tensor, threshold: float) -> Tensor:
        # (B, k) -> (B, groups, r)
        grouped = stop_logits.sigmoid().unflatten(1, (-1, self.reduction_factor))
        last = (grouped.sum(2, keepdim=True) > threshold).expand_as(grouped).clone()
        last[:, :, :-1] = False
        return torch.flatten(last, 1)


class DrawingDecoderParams(DecoderParams):
    """Adds noise that it draws in each step.

    Attributes:
        stop: Its stop logit at every frame.
    """

    type: Literal["drawing"] = "drawing"
    stop: float = -100.0

    def build(self, sizes: Sizes) -> DrawingDecoder:
        return DrawingDecoder(hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim, stop=self.stop)


@final
class OwnLengthDecoder(ParallelDecoder):
    """Decides itself how long each row is: three frames a phoneme."""

    def __init__(self, *, hidden_dim: int, mel_dim: int) -> None:
        super().__init__()
        self.out = nn.Linear(hidden_dim, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        mel = self.out(memory).repeat_interleave(3, 1)[:, : mel_specs.shape[1]]
        return DecoderOutput(zero_padding(mel, mel_padding_mask))

    def infer(self, memory: Tensor, memory_padding_mask: Tensor) -> DecoderOutput:
        mask = memory_padding_mask.repeat_interleave(3, 1)
        mel = zero_padding(self.out(memory).repeat_interleave(3, 1), mask)
        durations = (~memory_padding_mask).long() * 3
        return DecoderOutput(mel, lengths=lengths_from_padding_mask(mask), durations=durations)


class OwnLengthDecoderParams(DecoderParams):
    """Decides itself how long each row is."""

    type: Literal["own_length"] = "own_length"
    parallel = True

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        return ()

    def build(self, sizes: Sizes) -> OwnLengthDecoder:
        return OwnLengthDecoder(hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim)


@final
class WaveDecoder(ParallelDecoder):
    """Makes the samples of each frame by a linear layer, and compares them with the true ones."""

    def __init__(self, *, hidden_dim: int, hop_length: int) -> None:
        super().__init__()
        self.out = nn.Linear(hidden_dim, hop_length)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        wave: Tensor,
    ) -> DecoderOutput:
        made = zero_padding(self.out(memory), mel_padding_mask)
        error = zero_padding((made - wave).abs(), mel_padding_mask).sum()
        return DecoderOutput(made, losses={"l1": error / (~mel_padding_mask).sum()})

    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *, wave: Tensor | None = None
    ) -> DecoderOutput:
        return DecoderOutput(zero_padding(self.out(memory), memory_padding_mask))


class WaveDecoderParams(DecoderParams):
    """Makes the samples of each frame by a linear layer.

    Attributes:
        hop: Samples of a frame.
    """

    parallel = True
    gives: ClassVar[Mapping[str, str]] = {"wave": ""}
    type: Literal["samples"] = "samples"
    hop: int = 64

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        if self.hop != sizes.hop_length:
            yield "hop", f"{self.hop} samples are not the {sizes.hop_length} of a frame"

    @property
    def features(self) -> Mapping[str, Feature]:
        return {"wave": Feature(per="frame", width=self.hop, when="training")}

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"l1": 1.0}

    @property
    def replaces(self) -> frozenset[str]:
        return frozenset({"mel"})

    def build(self, sizes: Sizes) -> WaveDecoder:
        return WaveDecoder(hidden_dim=sizes.hidden_dim, hop_length=sizes.hop_length)


class LosslessWaveDecoderParams(WaveDecoderParams):
    """The same without a loss of its own."""

    type: Literal["lossless_samples"] = "lossless_samples"  # type: ignore[assignment]

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {}


class WaveByFrameParams(DrawingDecoderParams):
    """An autoregressive decoder that says that it gives a waveform."""

    gives: ClassVar[Mapping[str, str]] = {"wave": ""}
    type: Literal["wave_by_frame"] = "wave_by_frame"  # type: ignore[assignment]


COMPONENTS: tuple[type[Any], ...] = (
    CeilingPredictorParams,
    CurveAdaptorParams,
    DrawingDecoderParams,
    EvenAlignerParams,
    LosslessWaveDecoderParams,
    MeanRecordingParams,
    MuDecoderParams,
    OwnLengthDecoderParams,
    PriorEncoderParams,
    WaveByFrameParams,
    WaveDecoderParams,
)
