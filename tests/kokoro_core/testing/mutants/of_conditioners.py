"""Broken conditioners."""

from __future__ import annotations

import torch
from torch import nn

from tests.kokoro_core.testing.mutants.blocks import zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import VoiceParams
from tests.kokoro_core.testing.mutants.sound_conditioner import Voice

mutant = mutants_of(VoiceParams)


@mutant("an unknown speaker has the voice of the last", killed_by="index-range")
class ClampsSpeaker(Voice):
    def told(self, speaker):
        return super().told(speaker.clamp(0, self.table.num_embeddings - 1))


@mutant("speakers are counted from the end, too", killed_by="index-range")
class WrapsSpeaker(Voice):
    def told(self, speaker):
        return self.table.weight[speaker]


@mutant("an unknown speaker has no voice", killed_by="index-range")
class OneHotSpeaker(Voice):
    def told(self, speaker):
        known = torch.arange(self.table.num_embeddings)
        return (speaker.unsqueeze(1) == known).to(self.table.weight.dtype) @ self.table.weight


@mutant("all rows have the speaker of the first", killed_by="row-alone")
class FirstSpeaker(Voice):
    def told(self, speaker):
        return super().told(speaker[:1].expand_as(speaker))


@mutant("who speaks is not looked at", killed_by="side-inputs-matter")
class AnySpeaker(Voice):
    def told(self, speaker):
        return super().told(speaker).mean() + 0 * super().told(speaker)


@mutant("the mean of a recording counts its padding", killed_by="row-alone")
class MeanOfPadding(Voice):
    def average(self, recording, padding_mask):
        return zeroed(recording, padding_mask).mean(1)


@mutant("the padding of a recording is heard", killed_by="padding-poison")
class HearsPadding(Voice):
    def average(self, recording, padding_mask):
        return recording.mean(1)


@mutant("a recording is multiplied by 0 at padding", killed_by="padding-nan")
class MultipliesPadding(Voice):
    def average(self, recording, padding_mask):
        valid = (~padding_mask).to(recording.dtype).unsqueeze(2)
        return (recording * valid).sum(1) / valid.sum(1).clamp_min(1)


@mutant("a recording of no frame is divided by 0", killed_by="empty-row")
class DividesByNothing(Voice):
    def average(self, recording, padding_mask):
        return zeroed(recording, padding_mask).sum(1) / (~padding_mask).sum(1, keepdim=True)


@mutant("a recording is zeroed in the caller's tensor", killed_by="inputs-unchanged")
class WritesRecording(Voice):
    def average(self, recording, padding_mask):
        if not recording.requires_grad:
            recording.masked_fill_(padding_mask.unsqueeze(2), 0)
        return super().average(recording, padding_mask)


@mutant("only the first frame of a recording is heard", killed_by="sensitivity")
class FirstFrame(Voice):
    def average(self, recording, padding_mask):
        return zeroed(recording, padding_mask)[:, 0]


@mutant("vectors are normed over the batch", killed_by="row-alone")
class NormedOverBatch(Voice):
    def finish(self, vectors):
        return vectors - vectors.mean(0, keepdim=True) / 2


@mutant("vectors have another width than is said", killed_by="shapes")
class OtherWidth(Voice):
    def finish(self, vectors):
        return vectors[:, :-1]


@mutant("vectors get noise of the global generator", killed_by="repeatable")
class NoisyVectors(Voice):
    def finish(self, vectors):
        return vectors + 0.01 * torch.randn_like(vectors)


@mutant("the table of speakers does not learn", killed_by="parameters-learn")
class FrozenTable(Voice):
    def __init__(self, *, speakers, mel_dim, width):
        super().__init__(speakers=speakers, mel_dim=mel_dim, width=width)
        self.table = nn.Embedding.from_pretrained(self.table.weight.detach(), freeze=True)
