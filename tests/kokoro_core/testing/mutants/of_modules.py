"""Encoders that are broken as modules: how they begin, are moved, copied and saved."""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor, nn

from tests.kokoro_core.testing.mutants.blocks import Attention, sinusoids
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder, Layer

mutant = mutants_of(AttentionEncoderParams)


class WithParts(AttentionEncoder):
    """An encoder to which a part is added."""

    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.add_parts(sizes.hidden_dim)

    def add_parts(self, width):
        raise NotImplementedError


# How it begins.


@mutant("the second layer is a copy of the first", killed_by="twins-differ")
class CopiedLayer(AttentionEncoder):
    def make_layers(self, count, width, dropout):
        layer = self.layer_type(width, dropout)
        return [copy.deepcopy(layer) for _ in range(count)]


@mutant("all layers are one", killed_by="untied")
class SameLayer(AttentionEncoder):
    def make_layers(self, count, width, dropout):
        return [self.layer_type(width, dropout)] * count


@mutant("keys and values share a weight", killed_by="untied")
class TiedWeight(AttentionEncoder):
    def make_layers(self, count, width, dropout):
        layers = super().make_layers(count, width, dropout)
        layers[0].attention.value.weight = layers[0].attention.key.weight
        return layers


@mutant("weights share memory through a view", killed_by="untied")
class ViewedWeight(AttentionEncoder):
    def make_layers(self, count, width, dropout):
        layers = super().make_layers(count, width, dropout)
        joined = torch.randn(2 * width, width) / 3
        layers[0].attention.key.weight = nn.Parameter(joined[:width])
        layers[0].attention.value.weight = nn.Parameter(joined[width:])
        return layers


@mutant("weights are drawn from a seed of their own", killed_by="seeded")
class OwnSeed(WithParts):
    def add_parts(self, width):
        generator = torch.Generator().manual_seed(1)
        self.norm.weight = nn.Parameter(1 + 0.1 * torch.randn(width, generator=generator))


@mutant("weights are drawn from the clock", killed_by="seeded")
class SeedFromClock(WithParts):
    def add_parts(self, width):
        generator = torch.Generator().manual_seed(time.perf_counter_ns())
        self.norm.weight = nn.Parameter(1 + 0.1 * torch.randn(width, generator=generator))


@mutant("a parameter is never used", killed_by="parameters-learn")
class UnusedParameter(WithParts):
    def add_parts(self, width):
        self.spare = nn.Parameter(torch.zeros(width))


@mutant("all parameters are frozen", killed_by="parameters-learn")
class FrozenFromTheStart(WithParts):
    def add_parts(self, width):
        self.requires_grad_(False)


@mutant("a parameter is multiplied by 0", killed_by="parameters-learn")
class ZeroedParameter(WithParts):
    def add_parts(self, width):
        self.spare = nn.Parameter(torch.zeros(width))

    def finish(self, x, padding_mask):
        return super().finish(x + 0 * self.spare, padding_mask)


@mutant("the first layer is cut off from the loss", killed_by="parameters-learn")
class DetachedLayer(AttentionEncoder):
    def run(self, x, hidden):
        first, second = self.layers.children()
        return second(first(x, hidden).detach(), hidden)


@mutant("the embedding is looked up without gradients", killed_by="parameters-learn")
class EmbeddingWithoutGradient(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        with torch.no_grad():
            return super().embed(phoneme_indices, padding_mask)


# How it is moved and saved.


@mutant("a table is a plain attribute", killed_by="buffers")
class TableAsAttribute(WithParts):
    def add_parts(self, width):
        self.table = sinusoids(torch.arange(64), width, torch.float64)

    def place(self, x, padding_mask):
        return x + self.table[: x.shape[1]].to(x.dtype)


@mutant("a table is made at the first call and kept in a dictionary", killed_by="buffers")
class TableInDictionary(AttentionEncoder):
    def place(self, x, padding_mask):
        tables = self.__dict__.setdefault("tables", {})
        if x.shape[1:] not in tables:
            tables[x.shape[1:]] = super().place(torch.zeros_like(x[:1]), padding_mask[:1]).detach()
        return x + tables[x.shape[1:]]


@mutant("a table hides in an object", killed_by="buffers")
class TableInObject(WithParts):
    class _Tables:
        def __init__(self, width):
            self.sinusoids = sinusoids(torch.arange(64), width, torch.float64)

    def add_parts(self, width):
        self.tables = self._Tables(width)

    def place(self, x, padding_mask):
        return x + self.tables.sinusoids[: x.shape[1]].to(x.dtype)


@mutant("layers are in a list that is not registered", killed_by="registered")
class PlainList(AttentionEncoder):
    def stack(self, layers):
        self.__dict__["plain"] = layers
        return nn.Identity()

    def run(self, x, hidden):
        for layer in self.__dict__["plain"]:
            x = layer.to(x.dtype)(x, hidden)
        return x


@mutant("a table is computed again in the dtype that it is moved to", killed_by="dtype-and-back")
class TableCastWithModel(WithParts):
    table: Tensor

    def add_parts(self, width):
        table = sinusoids(torch.arange(64), width, torch.float32)
        self.register_buffer("table", table, persistent=False)

    def place(self, x, padding_mask):
        return x + self.table[: x.shape[1]]


@mutant("what it is depends on numbers that the meta device has not", killed_by="meta-device")
class ReadsNumbersWhenBuilt(WithParts):
    def add_parts(self, width):
        self.largest = float(self.norm.weight.abs().max())


@mutant("a table has another length on the meta device", killed_by="meta-device")
class OtherLengthOnMeta(WithParts):
    def add_parts(self, width):
        length = 3 if self.norm.weight.is_meta else 4
        self.register_buffer("table", torch.zeros(length), persistent=False)


@mutant("a buffer counts the calls and nobody reads it", killed_by="state-unchanged")
class CountsInBuffer(WithParts):
    calls: Tensor

    def add_parts(self, width):
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64), persistent=False)

    def finish(self, x, padding_mask):
        self.calls += 1
        return super().finish(x, padding_mask)


@mutant("a buffer has another shape once it is used", killed_by="state-unchanged")
class GrowingBuffer(WithParts):
    table: Tensor

    def add_parts(self, width):
        self.register_buffer("table", torch.zeros(1, width), persistent=False)

    def place(self, x, padding_mask):
        if len(self.table) < x.shape[1]:
            self.table = sinusoids(torch.arange(x.shape[1]), x.shape[2], x.dtype)
        return x + self.table[: x.shape[1]]


@mutant("a deep copy goes on using the original's weights", killed_by="copies")
class CopyThatIsNone(WithParts):
    def add_parts(self, width):
        embedding = self.embedding

        def looked_up(indices):
            return embedding(indices)

        self.looked_up = looked_up

    def embed(self, phoneme_indices, padding_mask):
        return self.looked_up(phoneme_indices.masked_fill(padding_mask, 0))


@mutant("a weight is transposed in memory", killed_by="round-trip")
class TransposedWeight(WithParts):
    def add_parts(self, width):
        weight = self.get_parameter("layers.0.attention.key.weight")
        weight.data = weight.data.t().contiguous().t()


@mutant("a weight is not in the state", killed_by="round-trip")
class WeightLeftOut(WithParts):
    def add_parts(self, width):
        self._register_state_dict_hook(self._leave_out)

    @staticmethod
    def _leave_out(_, state, prefix, __):
        del state[prefix + "norm.weight"]

    def load_state_dict(self, state_dict, strict=True, assign=False):
        return super().load_state_dict(state_dict, strict=False, assign=assign)


@mutant("a weight is loaded under an old name and dropped", killed_by="golden-keys")
class RenamedWeight(AttentionEncoder):
    def stack(self, layers):
        layers[0].attention.keys_of_memory = layers[0].attention.key
        del layers[0].attention.key
        type(layers[0].attention).key = property(lambda self: self.keys_of_memory)
        return super().stack(layers)

    def make_layers(self, count, width, dropout):
        class _Attention(Attention):
            pass

        class _Layer(Layer):
            attention_type = _Attention

        first = _Layer(width, dropout)
        return [first, *super().make_layers(count - 1, width, dropout)]


@mutant("a table joins the state", killed_by="golden-keys")
class PersistentTable(WithParts):
    def add_parts(self, width):
        self.register_buffer("table", sinusoids(torch.arange(64), width, torch.float32))
