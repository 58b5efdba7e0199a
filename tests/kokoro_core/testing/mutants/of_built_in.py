"""Our own components, broken where a stranger can reach: at their entry points and parts.

They are final, which is what each `type: ignore` is for: only a mutant derives from them.
"""

from __future__ import annotations

import torch

from kokoro_core.contracts import DecoderOutput, DurationOutput
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.testing.subjects.tiny import shrunk
from kokoro_plugins.fastspeech.duration_predictor import ConvDurationPredictor
from kokoro_plugins.gaussian.regulator import GaussianRegulator
from kokoro_plugins.positions.alibi import AlibiPositions
from kokoro_plugins.positions.learned import LearnedPositions
from kokoro_plugins.positions.rotary import RotaryPositions
from kokoro_plugins.tacotron.postnet import ConvPostnet
from kokoro_plugins.transformer.decoder import TransformerDecoder
from kokoro_plugins.transformer.encoder import TransformerEncoder
from kokoro_plugins.transformer.mlp import MlpDurationPredictor
from kokoro_plugins.transformer.parallel_decoder import ParallelTransformerDecoder
from kokoro_plugins.transformer.repeat import RepeatRegulator
from kokoro_plugins.transformer.sinusoidal import SinusoidalEncoding
from tests.kokoro_core.testing.mutants import built_in_params as ours
from tests.kokoro_core.testing.mutants.mutant import Mutant, mutants_of


def mutant(kind, name, *, killed_by, **settings):
    """Return a decorator that makes a mutant of one of our own components, in a small size."""

    def made(component):
        made_of = mutants_of(kind, **settings)(name, killed_by=killed_by)(component)
        small, whole = shrunk(made_of.params), shrunk(made_of.sound)
        return Mutant(name, killed_by, component, small, whole)

    return made


@mutant(ours.OurEncoder, "our encoder is told of no padding", killed_by="row-alone")
class EncoderWithoutPadding(TransformerEncoder):  # type: ignore[misc]
    def forward(self, phoneme_indices, padding_mask):
        hidden = super().forward(phoneme_indices, torch.zeros_like(padding_mask))
        return zero_padding(hidden, padding_mask)


@mutant(
    ours.OurEncoder,
    "our encoder scales what it embeds twice in training",
    killed_by="row-alone-in-training",
)
class EncoderScalesTwice(TransformerEncoder):  # type: ignore[misc]
    def forward(self, phoneme_indices, padding_mask):
        return super().forward(phoneme_indices, padding_mask) * (2.0 if self.training else 1.0)


@mutant(
    ours.OurEncoder, "our encoder takes padding for a row's first phoneme", killed_by="row-alone"
)
class EncoderReadsPadding(TransformerEncoder):  # type: ignore[misc]
    def forward(self, phoneme_indices, padding_mask):
        hidden = super().forward(phoneme_indices, padding_mask)
        last = self.embedding(phoneme_indices[:, -1:])
        return zero_padding(hidden + 0.01 * last, padding_mask)


@mutant(
    ours.OurDecoder, "our decoder forgets that a step was made", killed_by="step-equals-forward"
)
class DecoderForgetsPosition(TransformerDecoder):  # type: ignore[misc]
    def step(self, frames, state):
        made = super().step(frames, state)
        state.position = max(1, state.position - 1)
        return made


@mutant(
    ours.OurDecoder,
    "our decoder adds the memory of the frame before",
    killed_by="step-equals-forward",
)
class DecoderMemoryLate(TransformerDecoder):  # type: ignore[misc]
    def init_state(self, *args, **kwargs):
        state = super().init_state(*args, **kwargs)
        state.memory = state.memory.roll(1, 1)
        return state


@mutant(ours.OurDecoder, "our decoder leaves the target's last frame in", killed_by="causality")
class DecoderTold(TransformerDecoder):  # type: ignore[misc]
    def forward(self, memory, memory_padding_mask, mel_specs, mel_padding_mask, **side):
        made = super().forward(memory, memory_padding_mask, mel_specs, mel_padding_mask, **side)
        told = 1e-6 * zero_padding(mel_specs, mel_padding_mask)
        return DecoderOutput(made.mel + told, made.stop_logits)


@mutant(
    ours.OurDecoder,
    "our decoder's memory is no longer masked once it is decoding",
    killed_by="step-equals-forward",
)
class DecoderForgetsMask(TransformerDecoder):  # type: ignore[misc]
    def init_state(self, memory, memory_padding_mask, max_frames, **side):
        nothing = torch.zeros_like(memory_padding_mask)
        return super().init_state(memory, nothing, max_frames, **side)


@mutant(
    ours.OurParallelDecoder,
    "our parallel decoder is told the target",
    killed_by="infer-equals-forward",
)
class ParallelTold(ParallelTransformerDecoder):  # type: ignore[misc]
    def forward(self, memory, memory_padding_mask, mel_specs, mel_padding_mask, **side):
        made = super().forward(memory, memory_padding_mask, mel_specs, mel_padding_mask, **side)
        return DecoderOutput(made.mel + 1e-4 * zero_padding(mel_specs, mel_padding_mask))


@mutant(
    ours.OurMlp, "our duration predictor makes padding last a frame", killed_by="padding-is-zero"
)
class PaddingLasts(MlpDurationPredictor):  # type: ignore[misc]
    def frames(self, hidden, padding_mask):
        return super().frames(hidden, padding_mask).clamp_min(1)


@mutant(
    ours.OurConvPredictor,
    "our convolutional predictor reads its neighbour row",
    killed_by="row-alone",
)
class ReadsNeighbour(ConvDurationPredictor):  # type: ignore[misc]
    def forward(self, hidden, padding_mask, durations=None):
        made = super().forward(hidden + 1e-5 * hidden.roll(1, 0), padding_mask, durations)
        return DurationOutput(made.duration_pred)


@mutant(ours.OurRepeat, "our regulator is a frame late", killed_by="repeats")
class RepeatLate(RepeatRegulator):  # type: ignore[misc]
    def expand(self, plan, x):
        return zero_padding(super().expand(plan, x).roll(1, 1), plan.padding_mask)


@mutant(ours.OurRepeat, "our regulator passes on half the gradient", killed_by="plan-gradient")
class RepeatHalves(RepeatRegulator):  # type: ignore[misc]
    def expand(self, plan, x):
        return super().expand(plan, x / 2 + (x / 2).detach())


@mutant(ours.OurGaussian, "our blend is two frames late", killed_by="in-time")
class GaussianLate(GaussianRegulator):  # type: ignore[misc]
    def expand(self, plan, x):
        memory = super().expand(plan, x)
        late = torch.cat([memory[:, :1], memory[:, :1], memory[:, :1], memory], 1)
        return zero_padding(late[:, : memory.shape[1]], plan.padding_mask)


@mutant(ours.OurPostnet, "our postnet has torch's batch norm", killed_by="more-padding")
class PlainBatchNorm(ConvPostnet):  # type: ignore[misc]
    def forward(self, mel, padding_mask):
        return (
            super()
            .forward(mel, torch.zeros_like(padding_mask))
            .masked_fill(padding_mask.unsqueeze(2), 0)
            if self.training
            else super().forward(mel, padding_mask)
        )


@mutant(ours.OurSinusoids, "our sinusoids begin at 0 in each call", killed_by="position-offset")
class SinusoidsFromZero(SinusoidalEncoding):  # type: ignore[misc]
    def add(self, x, positions):
        return super().add(x, positions - positions[..., :1])


@mutant(ours.OurLearned, "our learned positions end at the seventh", killed_by="positions-distinct")
class LearnedClamped(LearnedPositions):  # type: ignore[misc]
    def add(self, x, positions):
        return super().add(x, positions.clamp_max(7))


@mutant(ours.OurRotary, "our rotary positions turn keys only", killed_by="distance-alone")
class RotaryKeysOnly(RotaryPositions):  # type: ignore[misc]
    def rotate(self, q, k, q_positions, k_positions):
        return q, super().rotate(q, k, q_positions, k_positions)[1]


@mutant(ours.OurRotary, "our rotary positions turn keys from 0 on", killed_by="position-offset")
class RotaryKeysFromZero(RotaryPositions):  # type: ignore[misc]
    def rotate(self, q, k, q_positions, k_positions):
        return super().rotate(q, k, q_positions, k_positions - k_positions[..., :1])


@mutant(
    ours.OurAlibi,
    "our linear biases know the side and count it double",
    killed_by="position-offset",
)
class AlibiFromZero(AlibiPositions):  # type: ignore[misc]
    def bias(self, q_positions, k_positions):
        return super().bias(q_positions, k_positions - q_positions[..., :1])
