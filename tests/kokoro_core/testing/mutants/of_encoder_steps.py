"""Broken attention encoders: positions, and statistics over steps and rows."""

from __future__ import annotations

import torch
from torch import nn

from tests.kokoro_core.testing.mutants.blocks import sinusoids, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder

mutant = mutants_of(AttentionEncoderParams)


@mutant("there are no positions", killed_by="order-matters")
class NoPositions(AttentionEncoder):
    def place(self, x, padding_mask):
        return x


@mutant("an inverted mask makes all positions 0", killed_by="order-matters")
class MaskedPositions(AttentionEncoder):
    def positions(self, x, padding_mask):
        return padding_mask[0].cumsum(0) * 0


@mutant("positions are counted from the padded end", killed_by="row-alone")
class PositionsFromEnd(AttentionEncoder):
    def positions(self, x, padding_mask):
        return torch.arange(x.shape[1]).flip(0)


@mutant("positions are a share of the padded width", killed_by="row-alone")
class RelativeToWidth(AttentionEncoder):
    def positions(self, x, padding_mask):
        return torch.arange(x.shape[1]) / x.shape[1]


@mutant("positions go on from row to row", killed_by="permutation")
class PositionsAcrossRows(AttentionEncoder):
    def place(self, x, padding_mask):
        rows, steps, width = x.shape
        return x + sinusoids(torch.arange(rows * steps), width, x.dtype).view(x.shape)


@mutant("positions end at 3 in silence", killed_by="order-matters")
class ClampedPositions(AttentionEncoder):
    def positions(self, x, padding_mask):
        return torch.arange(x.shape[1]).clamp_max(3)


@mutant("positions begin again after 4", killed_by="order-matters")
class WrappedPositions(AttentionEncoder):
    def positions(self, x, padding_mask):
        return torch.arange(x.shape[1]) % 4


@mutant("steps beyond the eighth are cut off and left 0", killed_by="shapes")
class Truncated(AttentionEncoder):
    def finish(self, x, padding_mask):
        return super().finish(x, padding_mask)[:, :8]


@mutant("batch norm counts padded steps", killed_by="row-alone-in-training")
class BatchNormOverPadding(AttentionEncoder):
    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.batch_norm = nn.BatchNorm1d(sizes.hidden_dim)

    def place(self, x, padding_mask):
        return super().place(self.batch_norm(x.transpose(1, 2)).transpose(1, 2), padding_mask)


@mutant("the mean over steps has padding in it", killed_by="row-alone")
class MeanOverPadding(AttentionEncoder):
    def finish(self, x, padding_mask):
        return zeroed(x + zeroed(x, padding_mask).mean(1, keepdim=True), padding_mask)


@mutant("a mean over the rows of the batch is taken off", killed_by="row-alone")
class MeanOverRows(AttentionEncoder):
    def finish(self, x, padding_mask):
        return zeroed(x - 1e-4 * x.mean((0, 1)), padding_mask)


@mutant("in training a term comes in that evaluation has not", killed_by="row-alone-in-training")
class OtherInTraining(AttentionEncoder):
    def finish(self, x, padding_mask):
        return zeroed(x * (1.01 if self.training else 1.0), padding_mask)
