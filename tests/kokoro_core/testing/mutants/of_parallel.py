"""Broken parallel decoders."""

from __future__ import annotations

import torch

from kokoro_core.contracts import DecoderOutput
from kokoro_core.tensors.noise import RowNoise
from tests.kokoro_core.testing.mutants.blocks import zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import FlowParams, ParallelParams
from tests.kokoro_core.testing.mutants.sound_parallel import Flow, SoundParallel

mutant = mutants_of(ParallelParams)
flow = mutants_of(FlowParams)


@mutant("frames look at padding", killed_by="row-alone")
class LooksAtPadding(SoundParallel):
    def hidden(self, padding_mask):
        return torch.zeros_like(padding_mask)[:, None, None, :]


@mutant("making frames forgets the mask that training has", killed_by="row-alone")
class InferForgetsMask(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        nothing = torch.zeros_like(memory_padding_mask)
        mel = self.made(zeroed(memory, memory_padding_mask), nothing)
        return DecoderOutput(zeroed(mel, memory_padding_mask))


@mutant("making frames leaves padding as it is", killed_by="padding-is-zero")
class InferLeavesPadding(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        return DecoderOutput(self.made(memory, memory_padding_mask) + 1)


@mutant("making frames makes one less than the memory has", killed_by="shapes")
class InferIsOneShort(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        return DecoderOutput(super().infer(memory, memory_padding_mask).mel[:, :-1])


@mutant("making frames makes one more than the memory has", killed_by="shapes")
class InferIsOneLong(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        mel = super().infer(memory, memory_padding_mask).mel
        return DecoderOutput(torch.cat([mel, 0 * mel[:, :1]], 1))


@mutant("making frames returns the bare mel", killed_by="shapes")
class InferReturnsTensor(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        return super().infer(memory, memory_padding_mask).mel


@mutant("training is told the target", killed_by="infer-equals-forward")
class ToldTheTarget(SoundParallel):
    def trained(self, mel, mel_specs, mel_padding_mask):
        return DecoderOutput(zeroed(mel + 1e-3 * mel_specs, mel_padding_mask))


@mutant("making frames gives other frames than training", killed_by="infer-equals-forward")
class InferDiffers(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        return DecoderOutput(1.01 * self.made(memory, memory_padding_mask))


@mutant("making frames has dropout", killed_by="repeatable")
class InferHasDropout(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        return DecoderOutput(torch.dropout(self.made(memory, memory_padding_mask), 0.1, True))


@mutant("making frames turns the decoder to evaluation", killed_by="dropout-in-training")
class InferTurnsToEvaluation(SoundParallel):
    def infer(self, memory, memory_padding_mask):
        self.dropout.p = self.attention.dropout = 0.0
        return super().infer(memory, memory_padding_mask)


@flow("the loss of the flow is a mean over padding as well", killed_by="more-padding")
class LossOverPadding(Flow):
    def counted(self, error, padding_mask):
        return error.numel()


@flow("noise is drawn from the global generator", killed_by="repeatable")
class GlobalNoise(Flow):
    def drawn(self, like, noise):
        return torch.randn(*like.shape[:2], self.mel_dim, dtype=like.dtype)


@flow("all rows have the noise of the first", killed_by="permutation")
class NoiseOfFirstRow(Flow):
    def drawn(self, like, noise):
        return super().drawn(like, RowNoise(noise.seeds[:1] * len(like)))


@flow("noise is drawn for the padded width in one piece", killed_by="row-alone")
class NoiseOfWidth(Flow):
    def drawn(self, like, noise):
        generator = torch.Generator().manual_seed(noise.seeds[0])
        shape = (*like.shape[:2], self.mel_dim)
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(like.dtype)


@flow("noise is left at padding", killed_by="padding-is-zero")
class NoiseAtPadding(Flow):
    def infer(self, memory, memory_padding_mask, *, noise):
        made = super().infer(memory, memory_padding_mask, noise=noise)
        left = self.drawn(memory, noise) * memory_padding_mask.unsqueeze(2)
        return DecoderOutput(made.mel + left)


@flow("the velocity divides by a time of 0 at padding", killed_by="padding-nan")
class DividesAtPadding(Flow):
    def counted(self, error, padding_mask):
        return super().counted(error, padding_mask)

    def forward(self, memory, memory_padding_mask, mel_specs, mel_padding_mask, *, noise):
        output = super().forward(
            memory, memory_padding_mask, mel_specs, mel_padding_mask, noise=noise
        )
        kept = 0 * (mel_specs * ~mel_padding_mask.unsqueeze(2)).sum()
        return DecoderOutput(output.mel, losses={"flow": output.losses["flow"] + kept})
