"""Broken attention encoders: shapes, dtypes, and the inputs that they are given."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import Attention, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder, OwnAttention

mutant = mutants_of(AttentionEncoderParams)


@mutant("a bare squeeze takes axes of 1 away", killed_by="shapes")
class BareSqueeze(AttentionEncoder):
    def finish(self, x, padding_mask):
        return super().finish(x, padding_mask).squeeze()


@mutant("a squeeze before the way out mixes rows of one step", killed_by="shapes")
class InnerSqueeze(AttentionEncoder):
    def finish(self, x, padding_mask):
        x = x.squeeze(1)
        return zeroed(x.unsqueeze(1) if x.dim() == 2 and len(x) > 1 else x, padding_mask.squeeze(1))


@mutant("the output is float32 whatever comes in", killed_by="shapes")
class HardFloat(AttentionEncoder):
    def finish(self, x, padding_mask):
        return super().finish(x, padding_mask).float()


@mutant("the steps come out in another order for equal lengths", killed_by="row-alone")
class SortsRows(AttentionEncoder):
    def finish(self, x, padding_mask):
        order = padding_mask.sum(1).argsort(stable=True)
        return zeroed(x, padding_mask)[order]


@mutant("padded indices are overwritten in the caller's tensor", killed_by="inputs-unchanged")
class WritesIndices(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        return self.embedding(phoneme_indices.masked_fill_(padding_mask, 0))


@mutant("the caller's mask is inverted in place", killed_by="inputs-unchanged")
class WritesMask(AttentionEncoder):
    def finish(self, x, padding_mask):
        return x * padding_mask.logical_not_().unsqueeze(2)


@mutant("inputs are written to in training only", killed_by="inputs-unchanged")
class WritesInTraining(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if self.training:
            phoneme_indices.masked_fill_(padding_mask, 0)
        return super().embed(phoneme_indices, padding_mask)


@mutant("indices are read in the order of memory", killed_by="strided-inputs")
class ReadsMemory(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        rows, steps = phoneme_indices.shape
        packed = torch.as_strided(phoneme_indices, (rows, steps), (steps, 1))
        return super().embed(packed, padding_mask)


@mutant("an index beyond the vocabulary is taken as the last one", killed_by="wrong-inputs")
class ClampedIndices(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        last = self.embedding.num_embeddings - 1
        return super().embed(phoneme_indices.clamp(0, last), padding_mask)


@mutant("indices of any kind are made integers", killed_by="wrong-inputs")
class CastIndices(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        return super().embed(phoneme_indices.long(), padding_mask)


@mutant("a mask that is too long is cut in silence", killed_by="wrong-inputs")
class CutMask(AttentionEncoder):
    def forward(self, phoneme_indices, padding_mask):
        return super().forward(phoneme_indices, padding_mask[:, : phoneme_indices.shape[1]])


@mutant("a mask that is too short is filled up in silence", killed_by="wrong-inputs")
class FilledMask(AttentionEncoder):
    def forward(self, phoneme_indices, padding_mask):
        missing = max(0, phoneme_indices.shape[-1] - padding_mask.shape[1])
        return super().forward(phoneme_indices, F.pad(padding_mask, (0, missing), value=True))


@mutant("a mask of numbers is taken for one of truths", killed_by="wrong-inputs")
class MaskOfNumbers(AttentionEncoder):
    def forward(self, phoneme_indices, padding_mask):
        return super().forward(phoneme_indices, padding_mask.bool())


@mutant("scores are divided by the root of the padded width", killed_by="row-alone")
class ScaledByWidth(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            return super().fill(scores / math.sqrt(scores.shape[-1]), hidden)


@mutant("scores overflow in half precision", killed_by="low-precision")
class OverflowsInHalf(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def weigh(self, scores, hidden):
            return super().weigh(((scores + 300) * 300 - 90000) / 300, hidden)


@mutant("under autocast a mask is added twice and overflows", killed_by="autocast")
class OverflowsUnderAutocast(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def weigh(self, scores, hidden):
            if torch.is_autocast_enabled("cpu"):
                largest = torch.finfo(torch.float32).max
                scores = scores.float() + largest + largest
            return super().weigh(scores, hidden)


@mutant("a float32 table meets half precision", killed_by="low-precision")
class HardTable(AttentionEncoder):
    def place(self, x, padding_mask):
        return x + super().place(torch.zeros_like(x), padding_mask).to(
            torch.promote_types(x.dtype, torch.float32)
        )
