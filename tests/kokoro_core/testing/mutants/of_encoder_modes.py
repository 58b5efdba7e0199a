"""Broken attention encoders: randomness, modes, and what remains from call to call."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import Attention, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder, OwnAttention

mutant = mutants_of(AttentionEncoderParams)


@mutant("attention has dropout in evaluation", killed_by="repeatable")
class DropoutInEvaluation(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def drop(self, weights):
            return F.dropout(weights, self.dropout)


@mutant("a dropout layer is made in each call", killed_by="repeatable")
class DropoutMadeInForward(AttentionEncoder):
    def finish(self, x, padding_mask):
        return zeroed(nn.Dropout(self.dropout.p)(x), padding_mask)


@mutant("one branch of evaluation has dropout: that of long rows", killed_by="repeatable")
class DropoutForLongRows(AttentionEncoder):
    def finish(self, x, padding_mask):
        share = self.dropout.p if x.shape[1] > 5 else 0.0
        return zeroed(F.dropout(x, share, training=True), padding_mask)


@mutant("after an evaluation dropout stays off", killed_by="dropout-in-training")
class DropoutLostAfterEvaluation(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if not self.training:
            for part in self.modules():
                if isinstance(part, (nn.Dropout, Attention)):
                    part.p = part.dropout = 0.0
        return super().embed(phoneme_indices, padding_mask)


@mutant("dropout is set and never applied", killed_by="dropout-in-training")
class NoDropout(AttentionEncoder):
    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=0.0)


@mutant("each call seeds the generator", killed_by="dropout-in-training")
class SeededInTraining(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if self.training:
            torch.manual_seed(0)
        return super().embed(phoneme_indices, padding_mask)


@mutant("a part of it never leaves training", killed_by="modes")
class StuckInTraining(AttentionEncoder):
    class _Stuck(nn.Identity):
        def train(self, mode=True):
            return super().train(True)

    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.stuck = self._Stuck()


@mutant("a random number is drawn in evaluation and not used", killed_by="repeatable")
class DrawsInEvaluation(AttentionEncoder):
    def finish(self, x, padding_mask):
        torch.rand(1)
        return super().finish(x, padding_mask)


@mutant("the generator of numpy is drawn from in evaluation", killed_by="repeatable")
class DrawsFromNumpy(AttentionEncoder):
    def finish(self, x, padding_mask):
        np.random.rand()
        return super().finish(x, padding_mask)


@mutant("a call makes float64 the default of everybody", killed_by="state-unchanged")
class ChangesTheDefault(AttentionEncoder):
    def finish(self, x, padding_mask):
        torch.set_default_dtype(torch.float64)
        return super().finish(x, padding_mask)


@mutant("a call turns gradients off for everybody", killed_by="state-unchanged")
class TurnsGradientsOff(AttentionEncoder):
    def finish(self, x, padding_mask):
        if not self.training:
            torch.set_grad_enabled(False)
        return super().finish(x, padding_mask)


@mutant("without gradients a fast path forgets the mask", killed_by="modes")
class FastPath(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        mask = padding_mask if torch.is_grad_enabled() else torch.zeros_like(padding_mask)
        return mask[:, None, None, :]


@mutant("a counter of calls changes the result", killed_by="state-unchanged")
class CountsCalls(AttentionEncoder):
    calls = 0

    def finish(self, x, padding_mask):
        self.calls += 1
        return zeroed(x + 1e-6 * (self.calls > 2), padding_mask)


@mutant("a result is kept for the next input of the same shape", killed_by="row-alone")
class CachedByShape(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        kept = self.__dict__.setdefault("kept", {})
        shape = tuple(phoneme_indices.shape)
        kept.setdefault(shape, super().embed(phoneme_indices, padding_mask).detach())
        return kept[shape]


@mutant("a running mean is updated in evaluation", killed_by="state-unchanged")
class RunningMeanInEvaluation(AttentionEncoder):
    mean: Tensor

    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.register_buffer("mean", torch.zeros(sizes.hidden_dim))

    def finish(self, x, padding_mask):
        self.mean.lerp_(x.detach().mean((0, 1)), 0.1)
        return super().finish(x, padding_mask)


@mutant("the mask of the largest batch so far is kept and cut", killed_by="row-alone")
class KeptMask(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        kept = self.__dict__.get("kept_mask")
        if (
            kept is None
            or kept.shape[0] < len(padding_mask)
            or kept.shape[1] < padding_mask.shape[1]
        ):
            kept = self.__dict__["kept_mask"] = padding_mask.clone()
        return kept[: len(padding_mask), : padding_mask.shape[1]][:, None, None, :]


@mutant("it returns a tuple", killed_by="shapes")
class ReturnsTuple(AttentionEncoder):
    def finish(self, x, padding_mask):
        return super().finish(x, padding_mask), None
