"""Parts that aim at something else than they should, and statistics that count too much."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tests.kokoro_core.testing.mutants.blocks import sinusoids, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import (
    AttentionDecoderParams,
    ConvPostnetParams,
    NormedPostnetParams,
    OwnLossParams,
    SinusoidParams,
)
from tests.kokoro_core.testing.mutants.sound_decoders import (
    AttentionDecoder,
    Cache,
    Decoded,
)
from tests.kokoro_core.testing.mutants.sound_durations import OwnLossPredictor
from tests.kokoro_core.testing.mutants.sound_positions import Sinusoid
from tests.kokoro_core.testing.mutants.sound_postnets import NormedPostnet, SoundPostnet

own = mutants_of(OwnLossParams)
pairs = mutants_of(AttentionDecoderParams, reduction_factor=2)
decoder = mutants_of(AttentionDecoderParams)
postnet = mutants_of(ConvPostnetParams)
normed = mutants_of(NormedPostnetParams)
added = mutants_of(SinusoidParams)


@own("its loss compares logarithms with frames", killed_by="loss-aims-at-frames")
class LogsWithFrames(OwnLossPredictor):
    def aim(self, durations, like):
        return durations.to(like.dtype)


@own("its loss compares logarithms of another base", killed_by="loss-aims-at-frames")
class OtherBase(OwnLossPredictor):
    def aim(self, durations, like):
        return (durations.to(like.dtype) + 1).log2()


@dataclass
class Late(Decoded):
    """What a decoder remembers whose stop head is late."""

    last: Tensor


@pairs("the stop head is a group late", killed_by="stop-in-time")
class LateStop(AttentionDecoder):
    def state(self, *fields):
        position, memory_hidden, own, crossed = fields
        first = torch.zeros_like(own[0].keys[:, :1])
        return Late(position, memory_hidden, own, crossed, first)

    def heads(self, x):
        return self.both(x, torch.zeros_like(x[:, :1]))

    def both(self, x, before):
        mel, _ = super().heads(x)
        _, stops = super().heads(torch.cat([before, x], 1)[:, :-1])
        return mel, stops

    def heads_of_step(self, x, state):
        made = self.both(x, state.last)
        state.last = x[:, -1:]
        return made


class Copying(Cache):
    """Keys and values that are copied by index, which no cast goes before."""

    def write(self, keys, values, start):
        every = torch.arange(start, start + keys.shape[1])
        if start + keys.shape[1] > self.keys.shape[1]:
            raise ValueError(f"There is no room for {start + keys.shape[1]} groups.")
        self.keys.index_copy_(1, every, keys)
        self.values.index_copy_(1, every, values)
        return self.keys[:, : start + keys.shape[1]], self.values[:, : start + keys.shape[1]]


@decoder("a cache in float32 is written as it comes", killed_by="autocast-in-steps")
class CopyingCache(AttentionDecoder):
    def state(self, *fields):
        position, memory_hidden, own, crossed = fields
        copying: list[Cache] = [Copying(each.keys, each.values) for each in own]
        return Decoded(position, memory_hidden, copying, crossed)


@postnet("the coarse mel is not added", killed_by="follows-the-mel")
class ForgetsMel(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        return zeroed(x, padding_mask)


@postnet(
    "it is said to make the mel anew and adds to it",
    killed_by="makes-the-mel-anew",
    declares={"residual": False},
)
class SaysAnew(SoundPostnet):
    pass


@normed("padded frames are in the running statistics alone", killed_by="statistics-of-rows")
class TracksPadding(NormedPostnet):
    def normed(self, x, padding_mask):
        if self.training:
            with torch.no_grad():
                mean = self.norm.get_buffer("running_mean")
                mean.lerp_(x.mean((0, 1)).to(mean.dtype), 0.1)
        return super().normed(x, padding_mask)


@added("positions beyond the table are those of its end", killed_by="far-positions")
class ClampedBeyond(Sinusoid):
    def at(self, positions):
        return self.table[positions.clamp_max(self.length - 1)]


@added("it says that it has no end, and ends", killed_by="far-positions")
class ClampedWithoutEnd(Sinusoid):
    def __init__(self, *, width):
        super().__init__(width=width)
        self.max_len = None

    def at(self, positions):
        return sinusoids(positions.clamp_max(5000), self.width, self.table.dtype)


@added("beyond the table it begins again", killed_by="far-positions")
class WrappedBeyond(Sinusoid):
    def at(self, positions):
        return self.table[positions % self.length]
