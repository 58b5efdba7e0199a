"""Broken attention encoders: what of a row may be looked at."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import Attention, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder, OwnAttention

mutant = mutants_of(AttentionEncoderParams)


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
        first, second = self.layers.children()
        return second(first(x, hidden), ~hidden)


@mutant("the second layer gets no mask", killed_by="row-alone")
class MaskOfFirstLayerOnly(AttentionEncoder):
    def run(self, x, hidden):
        first, second = self.layers.children()
        return second(first(x, hidden), torch.zeros_like(hidden))


@mutant("masked scores are -10, which leaks a little", killed_by="row-alone")
class WeakFill(OwnAttention):
    class attention_type(Attention):  # noqa: N801
        def fill(self, scores, hidden):
            return scores.masked_fill(hidden, -10.0)


@mutant(
    "masked scores are lowered by 16, which leaks less than float32 shows", killed_by="row-alone"
)
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


@mutant("padding of the largest index is heard", killed_by="padding-poison")
class HearsLargestIndex(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        last = phoneme_indices == self.embedding.num_embeddings - 1
        heard = (last & padding_mask).any(1)[:, None, None]
        return super().embed(phoneme_indices, padding_mask) * (1 + 0.5 * heard)


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
