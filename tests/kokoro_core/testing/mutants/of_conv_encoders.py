"""Broken convolutional encoders: what a convolution, a norm or a recurrence sees."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import Conv
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import ConvEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import ConvEncoder

mutant = mutants_of(ConvEncoderParams)


@mutant("the second convolution reads padding", killed_by="row-alone")
class ReadsPadding(ConvEncoder):
    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            return x


@mutant("the second convolution pads with reflections", killed_by="row-alone")
class Reflects(ConvEncoder):
    class conv_type(Conv):  # noqa: N801
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs)
            self.conv = nn.Conv1d(inputs, outputs, 3, padding=1, padding_mode="replicate")


@mutant("a row of one step is too short for the convolution", killed_by="shapes")
class TooShort(ConvEncoder):
    class conv_type(Conv):  # noqa: N801
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs)
            self.conv = nn.Conv1d(inputs, outputs, 3, padding=1, padding_mode="reflect")


@mutant("the second convolution is wider than declared", killed_by="reach")
class WiderThanDeclared(ConvEncoder):
    class conv_type(Conv):  # noqa: N801
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs, 5)


@mutant("the second convolution sees a step less than declared", killed_by="reach")
class NarrowerThanDeclared(ConvEncoder):
    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            with torch.no_grad():
                self.conv.weight[:, :, 2] = 0
            return super().clean(x, padding_mask)


@mutant("the second convolution is one step late", killed_by="reach")
class OneLate(ConvEncoder):
    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            return F.pad(super().clean(x, padding_mask), (0, 0, 1, 0))[:, :-1]


@mutant("a group norm counts padded steps", killed_by="row-alone")
class GroupNormOverPadding(ConvEncoder):
    def make_norm(self, width):
        return nn.GroupNorm(1, width)

    def normed(self, norm, x, padding_mask):
        return norm(x.transpose(1, 2)).transpose(1, 2)


@mutant("an instance norm cannot do with one step", killed_by="shapes")
class InstanceNorm(ConvEncoder):
    def make_norm(self, width):
        return nn.InstanceNorm1d(width)

    def normed(self, norm, x, padding_mask):
        return norm(x.transpose(1, 2)).transpose(1, 2)


@mutant("a backward recurrence begins in the padding", killed_by="row-alone")
class BackwardFromPadding(ConvEncoder):
    def __init__(self, *, sizes, dropout):
        super().__init__(sizes=sizes, dropout=dropout)
        self.recurrence = nn.GRU(sizes.hidden_dim, sizes.hidden_dim, batch_first=True)

    def normed(self, norm, x, padding_mask):
        return norm(x + self.recurrence(x.flip(1))[0].flip(1))


@mutant(
    "a recurrence packs rows and refuses an empty one with another error", killed_by="empty-row"
)
class PacksRows(ConvEncoder):
    def normed(self, norm, x, padding_mask):
        lengths = (~padding_mask).sum(1)
        nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return norm(x)


@mutant("rows must come longest first", killed_by="shapes")
class SortedRowsOnly(ConvEncoder):
    def normed(self, norm, x, padding_mask):
        lengths = (~padding_mask).sum(1)
        nn.utils.rnn.pack_padded_sequence(x, lengths.clamp_min(1), batch_first=True)
        return norm(x)


@mutant("the pooled result is divided by a length of 0", killed_by="empty-row")
class DividesByLength(ConvEncoder):
    def normed(self, norm, x, padding_mask):
        valid = (~padding_mask).unsqueeze(2).to(x.dtype)
        return norm(x - 0.0 * (x * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True))


@mutant("each row knows the mean of its row, beyond what is declared", killed_by="reach")
class KnowsTheRow(ConvEncoder):
    def normed(self, norm, x, padding_mask):
        valid = (~padding_mask).unsqueeze(2).to(x.dtype)
        count = valid.sum(1, keepdim=True).clamp_min(1)
        return norm(x + 0.01 * (x * valid).sum(1, keepdim=True) / count)
