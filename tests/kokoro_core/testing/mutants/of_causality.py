"""Broken autoregressive decoders: what a frame knows."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionDecoderParams
from tests.kokoro_core.testing.mutants.sound_decoders import AttentionDecoder

mutant = mutants_of(AttentionDecoderParams)
grouped = mutants_of(AttentionDecoderParams, reduction_factor=2)


@mutant("there is no causal mask", killed_by="causality")
class NoCausalMask(AttentionDecoder):
    def later(self, queries, keys):
        return torch.zeros_like(super().later(queries, keys))


@mutant("the causal mask lets the next group in", killed_by="causality")
class CausalMaskOneOff(AttentionDecoder):
    def later(self, queries, keys):
        return keys > queries.unsqueeze(1) + 1


@mutant("the causal mask is turned", killed_by="causality")
class CausalMaskTurned(AttentionDecoder):
    def later(self, queries, keys):
        return keys < queries.unsqueeze(1)


@mutant("the causal mask is missing in the second layer", killed_by="causality")
class CausalInOneLayer(AttentionDecoder):
    def run(self, x, memory, later, memory_hidden):
        x = self.layers[0](x, memory, later, memory_hidden)
        return self.layers[1](x, memory, torch.zeros_like(later), memory_hidden)


@mutant("the target is not shifted", killed_by="causality")
class NotShifted(AttentionDecoder):
    def shift(self, mel):
        return mel


@mutant("the target leaks a millionth of itself", killed_by="causality")
class WeakLeak(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        self.__dict__["told"] = mel_specs.detach().mean(2)
        return super().teacher(mel_specs, mel_padding_mask)

    def finish(self, x, padding_mask):
        told = self.__dict__["told"]
        return zeroed(x + 1e-6 * (told if x.dim() == 2 else told.unsqueeze(2)), padding_mask)


@mutant("a mean over all frames is taken off", killed_by="causality")
class MeanOverFrames(AttentionDecoder):
    def run(self, x, memory, later, memory_hidden):
        return super().run(x - 0.01 * x.mean(1, keepdim=True), memory, later, memory_hidden)


@mutant("the frames before are not heard", killed_by="causality")
class DeafToFrames(AttentionDecoder):
    def shift(self, mel):
        return 0 * super().shift(mel)


@grouped("a group knows its own first frame", killed_by="causality")
class ShiftedByOne(AttentionDecoder):
    def shift(self, mel):
        return F.pad(super().shift(mel), (0, 0, 0, 0)).roll(-1, 1)


@grouped("of a group only the first frame is heard", killed_by="causality")
class FirstOfGroup(AttentionDecoder):
    def embed(self, fed, start):
        kept = fed.clone()
        kept[:, 1::2] = 0
        return super().embed(kept, start)


@grouped("a last group that is not full is cut off", killed_by="shapes")
class CutLastGroup(AttentionDecoder):
    def heads(self, x):
        mel, stop_logits = super().heads(x)
        return mel[:, : mel.shape[1] - 1], stop_logits[:, : mel.shape[1] - 1]
