"""Broken attention encoders: masks, positions, statistics, modes, shapes, inputs."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.mutants.blocks import Attention, zeroed
from tests.mutants.mutant import mutants_of
from tests.mutants.params import AttentionEncoderParams
from tests.mutants.sound_encoders import AttentionEncoder, Layer

mutant = mutants_of(AttentionEncoderParams)
dropping = mutants_of(AttentionEncoderParams, dropout=0.2)


class OwnAttention(AttentionEncoder):
    """An encoder whose layers have another attention."""

    attention_type: type[Attention] = Attention

    def make_layers(self, count, width, dropout):
        kind = type("_Layer", (Layer,), {"attention_type": self.attention_type})
        return [kind(width, dropout) for _ in range(count)]


# Masks.


@mutant("the keys are not masked", killed_by="row-alone")
class NoKeyMask(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        return torch.zeros_like(padding_mask)[:, None, None, :]


@mutant("the key mask is inverted", killed_by="row-alone")
class InvertedMask(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        return ~padding_mask[:, None, None, :]


@mutant("the key mask is inverted in the last layer only", killed_by="row-alone")
class InvertedInOneLayer(AttentionEncoder):
    def run(self, x, hidden):
        return self.layers[1](self.layers[0](x, hidden), ~hidden)


@mutant("the second layer gets no mask", killed_by="row-alone")
class MaskOfFirstLayerOnly(AttentionEncoder):
    def run(self, x, hidden):
        return self.layers[1](self.layers[0](x, hidden), torch.zeros_like(hidden))


@mutant("masked scores are -10, which leaks a little", killed_by="row-alone")
class WeakFill(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            return scores.masked_fill(hidden, -10.0)


@mutant("masked scores are lowered by 16, which leaks less than float32 shows", killed_by="row-alone")
class AddedFill(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            return scores - 16.0 * hidden


@mutant("masked scores are minus infinity", killed_by="empty-row")
class InfiniteFill(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            return scores.masked_fill(hidden, float("-inf"))


@mutant("masked scores are -1e9, which half precision cannot hold", killed_by="low-precision")
class TooLargeFill(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            return scores.masked_fill(hidden, -1e9)


@mutant("two masks of the smallest number are added", killed_by="empty-row")
class SumOfMasks(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            least = torch.zeros_like(scores).masked_fill(hidden, torch.finfo(scores.dtype).min)
            return scores + least + least


@mutant("the result of masked_fill is thrown away", killed_by="row-alone")
class DiscardedFill(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
            return scores


@mutant("the mask lets one padded step in", killed_by="row-alone")
class MaskTooWide(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        return F.pad(padding_mask[:, :-1], (1, 0))[:, None, None, :]


@mutant("the mask hides the last step of each row", killed_by="reach")
class MaskTooNarrow(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        lengths = (~padding_mask).sum(1, keepdim=True)
        last = torch.arange(padding_mask.shape[1]) >= (lengths - 1).clamp_min(1)
        return last[:, None, None, :]


@mutant("the mask is of the indices that are not 0", killed_by="row-alone")
class MaskFromZeros(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        return (phoneme_indices == 0)[:, None, None, :]


@mutant("the mask is of the indices that are not the padding's", killed_by="padding-poison")
class MaskFromIndices(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        return (phoneme_indices == self.pad_id)[:, None, None, :]


@mutant("the mask has a length in the wrong unit, so that it hides nothing", killed_by="row-alone")
class LengthsTimesWidth(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        lengths = (~padding_mask).sum(1, keepdim=True) * padding_mask.shape[1]
        return (torch.arange(padding_mask.shape[1]) >= lengths)[:, None, None, :]


@mutant("the masks of the heads are of other rows", killed_by="row-alone")
class MaskRepeatedForHeads(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            rows, heads = scores.shape[:2]
            # What should be repeat_interleave, since the heads of a row lie next to each other.
            repeated = hidden.flatten(1).repeat(heads, 1).view(rows, heads, 1, -1)
            return scores.masked_fill(repeated, torch.finfo(scores.dtype).min)


@mutant("every row has the mask of the first", killed_by="row-alone")
class MaskOfFirstRow(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        return padding_mask[:1, None, None, :].expand(len(padding_mask), -1, -1, -1)


@mutant("the softmax goes over the queries", killed_by="row-alone")
class SoftmaxOverQueries(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def weigh(self, scores, hidden):
            return self.fill(scores, hidden).softmax(2)


@mutant("heads are split without the transpose", killed_by="row-alone")
class HeadsWithoutTranspose(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def split(self, x):
            return x.reshape(len(x), self.num_heads, x.shape[1], -1)


@mutant("each row is the mean of its mask and of the batch's longest", killed_by="row-alone")
class ScaledByLongest(AttentionEncoder):
    def finish(self, x, padding_mask):
        lengths = (~padding_mask).sum(1)
        return zeroed(x * (lengths / lengths.max())[:, None, None], padding_mask)


@mutant("padding comes out as it is", killed_by="padding-is-zero")
class PaddingIsNotZero(AttentionEncoder):
    def finish(self, x, padding_mask):
        return x


@mutant("the norm comes after padding was made 0", killed_by="padding-is-zero")
class NormAfterZero(AttentionEncoder):
    def finish(self, x, padding_mask):
        return self.norm(zeroed(x, padding_mask))


@mutant("what is padding is decided by the longest row alone", killed_by="padding-is-zero")
class ZeroBeyondLongest(AttentionEncoder):
    def finish(self, x, padding_mask):
        return zeroed(x, padding_mask.all(0).expand_as(padding_mask))


# Positions.


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
        rows = torch.arange(len(x), dtype=x.dtype)[:, None, None]
        return super().place(x + 0.01 * rows, padding_mask)


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


# Statistics over steps and rows.


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


# Randomness and modes.


@dropping("attention has dropout in evaluation", killed_by="repeatable")
class DropoutInEvaluation(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def drop(self, weights):
            return F.dropout(weights, self.dropout)


@dropping("a dropout layer is made in each call", killed_by="repeatable")
class DropoutMadeInForward(AttentionEncoder):
    def finish(self, x, padding_mask):
        return zeroed(nn.Dropout(self.dropout.p)(x), padding_mask)


@dropping("one branch of evaluation has dropout: that of long rows", killed_by="repeatable")
class DropoutForLongRows(AttentionEncoder):
    def finish(self, x, padding_mask):
        share = self.dropout.p if x.shape[1] > 5 else 0.0
        return zeroed(F.dropout(x, share, training=True), padding_mask)


@dropping("after an evaluation dropout stays off", killed_by="dropout-in-training")
class DropoutLostAfterEvaluation(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if not self.training:
            for part in self.modules():
                if isinstance(part, (nn.Dropout, Attention)):
                    part.p = part.dropout = 0.0
        return super().embed(phoneme_indices, padding_mask)


@dropping("dropout is set and never applied", killed_by="dropout-in-training")
class NoDropout(AttentionEncoder):
    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=0.0)


@dropping("each call seeds the generator", killed_by="dropout-in-training")
class SeededInTraining(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if self.training:
            torch.manual_seed(0)
        return super().embed(phoneme_indices, padding_mask)


@dropping("a part of it never leaves training", killed_by="modes")
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


@mutant("without gradients a fast path forgets the mask", killed_by="modes")
class FastPath(AttentionEncoder):
    def hidden(self, phoneme_indices, padding_mask):
        mask = padding_mask if torch.is_grad_enabled() else torch.zeros_like(padding_mask)
        return mask[:, None, None, :]


# What remains from call to call.


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
        if kept is None or kept.shape[0] < len(padding_mask) or kept.shape[1] < padding_mask.shape[1]:
            kept = self.__dict__["kept_mask"] = padding_mask.clone()
        return kept[: len(padding_mask), : padding_mask.shape[1]][:, None, None, :]


# Shapes and inputs.


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


@mutant("a float32 table meets half precision", killed_by="low-precision")
class HardTable(AttentionEncoder):
    def place(self, x, padding_mask):
        return x + super().place(torch.zeros_like(x), padding_mask).to(
            torch.promote_types(x.dtype, torch.float32)
        )
