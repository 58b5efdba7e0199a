"""Broken postnets."""

from __future__ import annotations

import torch

from tests.kokoro_core.testing.mutants.blocks import Conv, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import ConvPostnetParams, NormedPostnetParams
from tests.kokoro_core.testing.mutants.sound_postnets import NormedPostnet, SoundPostnet

mutant = mutants_of(ConvPostnetParams)
normed = mutants_of(NormedPostnetParams)


@mutant("the postnet's second convolution reads padding", killed_by="row-alone")
class ReadsPadding(SoundPostnet):
    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            return x


@mutant("the coarse mel comes back at padding", killed_by="padding-is-zero")
class MelAtPadding(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        return mel + zeroed(x, padding_mask)


@mutant("the result is multiplied by 0 at padding", killed_by="padding-nan")
class KeepsNan(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        return (mel + x) * ~padding_mask.unsqueeze(2)


@mutant("the result is added to the caller's mel", killed_by="inputs-unchanged")
class AddsInPlace(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        if mel.requires_grad or torch.is_inference_mode_enabled():
            return super().finish(mel, x, padding_mask)
        return zeroed(mel.add_(x.detach()), padding_mask) + 0 * x


@mutant("what it makes is not added when all rows are full", killed_by="row-alone")
class NothingForFullRows(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        return super().finish(mel, x * padding_mask.any(), padding_mask)


@mutant("it says that it needs less context than it has", killed_by="context")
class SaysLessContext(SoundPostnet):
    context = 1


@mutant("it hands the mel back as it came", killed_by="inputs-unchanged")
class HandsBack(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        return mel if not padding_mask.any() else super().finish(mel, x, padding_mask)


@mutant("dropout stays on in evaluation, as in a prenet", killed_by="repeatable")
class DropoutStaysOn(SoundPostnet):
    def finish(self, mel, x, padding_mask):
        dropped = torch.dropout(x, self.dropout.p, True)
        return super().finish(mel, dropped, padding_mask)


@normed("padded frames are in the statistics of training", killed_by="more-padding")
class StatisticsOfPadding(NormedPostnet):
    def normed(self, x, padding_mask):
        return self.norm(x, torch.zeros_like(padding_mask))


@normed("evaluation uses the statistics of the batch", killed_by="row-alone")
class BatchInEvaluation(NormedPostnet):
    def normed(self, x, padding_mask):
        clean = zeroed(x, padding_mask)
        return self.norm(clean - clean.mean((0, 1)), padding_mask)


@normed("evaluation takes the mean of the batch's valid frames off", killed_by="row-alone")
class MeanInEvaluation(NormedPostnet):
    def normed(self, x, padding_mask):
        normal = super().normed(x, padding_mask)
        if self.training:
            return normal
        count = (~padding_mask).sum().clamp_min(1)
        return normal - zeroed(normal, padding_mask).sum((0, 1)).detach() / count


@normed("statistics are tracked in evaluation", killed_by="state-unchanged")
class TracksInEvaluation(NormedPostnet):
    def normed(self, x, padding_mask):
        running = self.get_buffer("norm.running_mean")
        running.lerp_(x.detach().mean((0, 1)).to(running), 0.1)
        return super().normed(x, padding_mask)


@normed("a batch norm is declared and not there", killed_by="rows-are-coupled")
class NotCoupled(NormedPostnet):
    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self
