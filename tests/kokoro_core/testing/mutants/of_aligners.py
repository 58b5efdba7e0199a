"""Broken aligners."""

from __future__ import annotations

import torch

from kokoro_core.contracts import AlignerOutput
from tests.kokoro_core.testing.mutants.blocks import zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import MassAlignerParams
from tests.kokoro_core.testing.mutants.sound_aligner import MassAligner

mutant = mutants_of(MassAlignerParams)


@mutant("durations of the alignment are floats", killed_by="alignment-fills-mel")
class FloatDurations(MassAligner):
    def forward(self, hidden, padding_mask, mel_specs, mel_padding_mask):
        made = super().forward(hidden, padding_mask, mel_specs, mel_padding_mask)
        return AlignerOutput(made.durations.float(), made.losses, made.soft)


@mutant("the last frame of a mel belongs to no phoneme", killed_by="alignment-fills-mel")
class LosesAFrame(MassAligner):
    def spread(self, share, padding_mask, mel_padding_mask):
        found = super().spread(share, padding_mask, mel_padding_mask)
        found[:, 0] -= found[:, 0] > 1
        return found


@mutant("shares of frames are rounded one by one", killed_by="alignment-fills-mel")
class RoundsEach(MassAligner):
    def spread(self, share, padding_mask, mel_padding_mask):
        each = share.diff(dim=1, prepend=torch.zeros_like(share[:, :1]))
        frames = (~mel_padding_mask).sum(1, keepdim=True)
        return zeroed((each * frames + 0.5).floor().long(), padding_mask)


@mutant("each padded phoneme gets a frame as well", killed_by="padding-is-zero")
class FramesForPadding(MassAligner):
    def spread(self, share, padding_mask, mel_padding_mask):
        return super().spread(share, padding_mask, mel_padding_mask).clamp_min(1)


@mutant("frames are aligned to padded phonemes too", killed_by="row-alone")
class SeesPaddedPhonemes(MassAligner):
    def weigh(self, scores, padding_mask):
        return scores.softmax(2)

    def finish(self, weights, mel_padding_mask):
        return super().finish(weights, mel_padding_mask)


@mutant("probabilities are normalised over frames", killed_by="soft-alignment")
class NormsOverFrames(MassAligner):
    def finish(self, weights, mel_padding_mask):
        soft = super().finish(weights, mel_padding_mask)
        return soft / soft.sum(1, keepdim=True).clamp_min(1e-9)


@mutant("probabilities stay at padded frames", killed_by="soft-alignment")
class ProbabilitiesAtPadding(MassAligner):
    def finish(self, weights, mel_padding_mask):
        return weights


@mutant("probabilities of two heads are added up", killed_by="soft-alignment")
class AddsHeads(MassAligner):
    def finish(self, weights, mel_padding_mask):
        return 2 * super().finish(weights, mel_padding_mask)


@mutant("logarithms stand for probabilities", killed_by="soft-alignment")
class ReturnsLogs(MassAligner):
    def finish(self, weights, mel_padding_mask):
        return super().finish(weights.clamp_min(1e-9).log(), mel_padding_mask)


@mutant("the loss of the alignment is a mean over padding as well", killed_by="more-padding")
class LossOverPadding(MassAligner):
    def average(self, each, mel_padding_mask):
        return zeroed(each, mel_padding_mask).mean()


@mutant("the loss of the alignment has no gradient", killed_by="parameters-learn")
class LossWithoutGradient(MassAligner):
    def average(self, each, mel_padding_mask):
        return super().average(each.detach(), mel_padding_mask)


@mutant("the loss of the alignment is a mean of means", killed_by="empty-row")
class MeanOfRows(MassAligner):
    def average(self, each, mel_padding_mask):
        return (zeroed(each, mel_padding_mask).sum(1) / (~mel_padding_mask).sum(1)).mean()


@mutant(
    "with more phonemes than frames some last less than nothing",
    killed_by="more-phonemes-than-frames",
)
class NegativeDurations(MassAligner):
    def refuse(self, phonemes, frames):
        pass


@mutant("the mel is zeroed in the caller's tensor", killed_by="inputs-unchanged")
class WritesMel(MassAligner):
    def clean(self, x, padding_mask):
        if x.requires_grad:
            return super().clean(x, padding_mask)
        return x.masked_fill_(padding_mask.unsqueeze(2), 0)


@mutant("what it compares is multiplied by 0 at padding", killed_by="padding-nan")
class MultipliesPadding(MassAligner):
    def clean(self, x, padding_mask):
        return x * ~padding_mask.unsqueeze(2)


@mutant("it compares frames with the mean of the batch taken off", killed_by="row-alone")
class MeanOfBatch(MassAligner):
    def clean(self, x, padding_mask):
        return super().clean(x - x.mean((0, 1)), padding_mask)


@mutant("it does not look at the phonemes", killed_by="sensitivity")
class BlindToPhonemes(MassAligner):
    def weigh(self, scores, padding_mask):
        return super().weigh(scores.detach() * 0 + scores.mean(2, keepdim=True), padding_mask)
