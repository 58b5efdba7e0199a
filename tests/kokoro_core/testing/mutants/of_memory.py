"""Broken autoregressive decoders: the memory, and what comes out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import Attention, sinusoids, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionDecoderParams
from tests.kokoro_core.testing.mutants.sound_decoders import AttentionDecoder, Layer, dropped

mutant = mutants_of(AttentionDecoderParams)
grouped = mutants_of(AttentionDecoderParams, reduction_factor=2)


@mutant("the memory's mask is forgotten in steps", killed_by="step-equals-forward")
class NoMemoryMaskInSteps(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            return super().step(x, own, crossed, later, torch.zeros_like(memory_hidden), at)


@mutant("the memory has the mask of the mel", killed_by="row-alone")
class MemoryHasMelMask(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        self.__dict__["mel_mask"] = mel_padding_mask
        return super().teacher(mel_specs, mel_padding_mask)

    def memory_hidden(self, memory_padding_mask):
        mask, count = (
            self.__dict__.get("mel_mask", memory_padding_mask),
            memory_padding_mask.shape[1],
        )
        mask = F.pad(mask, (0, max(0, count - mask.shape[1])), value=True)[:, :count]
        return mask[:, None, None, :]


@mutant("the memory is not masked", killed_by="row-alone")
class NoMemoryMask(AttentionDecoder):
    def memory_hidden(self, memory_padding_mask):
        return torch.zeros_like(memory_padding_mask)[:, None, None, :]


@mutant("the last vector of the memory is hidden", killed_by="sensitivity")
class MemoryMaskTooNarrow(AttentionDecoder):
    def memory_hidden(self, memory_padding_mask):
        lengths = (~memory_padding_mask).sum(1, keepdim=True)
        last = torch.arange(memory_padding_mask.shape[1]) >= (lengths - 1).clamp_min(1)
        return last[:, None, None, :]


@mutant("the memory has no positions", killed_by="order-matters")
class MemoryWithoutPositions(AttentionDecoder):
    def remembered(self, memory, memory_padding_mask):
        return zeroed(memory, memory_padding_mask)


@mutant("the memory is not used", killed_by="reach")
class MemoryUnused(AttentionDecoder):
    def remembered(self, memory, memory_padding_mask):
        return super().remembered(memory, memory_padding_mask).detach()


@mutant("the memory's padding is multiplied by 0, which keeps a NaN", killed_by="padding-nan")
class MemoryKeepsNan(AttentionDecoder):
    def remembered(self, memory, memory_padding_mask):
        every = torch.arange(memory.shape[1])
        placed = memory + sinusoids(every, memory.shape[2], memory.dtype)
        return placed * ~memory_padding_mask.unsqueeze(2)


@mutant("the target's padding is not zeroed", killed_by="padding-nan")
class TargetKeepsNan(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        return mel_specs


@mutant("outputs at padding are multiplied by 0", killed_by="padding-nan")
class OutputKeepsNan(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        return mel_specs

    def finish(self, x, padding_mask):
        return x * ~(padding_mask if x.dim() == 2 else padding_mask.unsqueeze(2))


@mutant("a row without memory is NaN", killed_by="empty-row")
class NoMemoryIsNan(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        class cross_type(Attention):  # noqa: N801
            def fill(self, scores, hidden):
                return scores.masked_fill(hidden, float("-inf"))


@mutant("the teacher's frames have dropout in evaluation", killed_by="repeatable")
class PrenetDropout(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        return dropped(super().teacher(mel_specs, mel_padding_mask), self.dropout.p)


@mutant("the stop logits are masked and the mel is not", killed_by="padding-is-zero")
class MelAtPadding(AttentionDecoder):
    def finish(self, x, padding_mask):
        return zeroed(x, padding_mask) if x.dim() == 2 else x


@mutant("a batch norm sits on the frames", killed_by="row-alone-in-training")
class BatchNormOnFrames(AttentionDecoder):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.batch_norm = nn.BatchNorm1d(self.mel_dim)

    def teacher(self, mel_specs, mel_padding_mask):
        clean = super().teacher(mel_specs, mel_padding_mask)
        return self.batch_norm(clean.transpose(1, 2)).transpose(1, 2)


@mutant("the state keeps frames in a list that no fork reaches", killed_by="chunks-and-forks")
class HistoryOutsideState(AttentionDecoder):
    def embed_step(self, frames, start):
        first = self.__dict__["first"] if start else frames[:, :1].detach().clone()
        self.__dict__["first"] = first
        if len(first) != len(frames):
            raise RuntimeError("The rows are others than those that it began with.")
        return self.embed(frames + 0 * first, start) + 0.01 * first.mean(2, keepdim=True) * (
            start > 0
        )
