"""Encoders that change the process around them, cannot leave it, or load what is not theirs."""

from __future__ import annotations

import random

import torch
from torch import nn

from tests.kokoro_core.testing.mutants.blocks import Attention, Conv, sinusoids
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import (
    AttentionEncoderParams,
    ConvEncoderParams,
    ConvPredictorParams,
)
from tests.kokoro_core.testing.mutants.sound_durations import ConvPredictor
from tests.kokoro_core.testing.mutants.sound_encoders import (
    AttentionEncoder,
    ConvEncoder,
)

mutant = mutants_of(AttentionEncoderParams)
predictor = mutants_of(ConvPredictorParams)
conv = mutants_of(ConvEncoderParams)


class Afterwards(AttentionEncoder):
    """An encoder that does something once it is built."""

    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.then()

    def then(self):
        raise NotImplementedError


@mutant("once built, everybody computes in float64", killed_by="build-is-local")
class SetsDtype(Afterwards):
    def then(self):
        torch.set_default_dtype(torch.float64)


@mutant("once built, everybody has three threads", killed_by="build-is-local")
class SetsThreads(Afterwards):
    def then(self):
        torch.set_num_threads(3)


@mutant("once built, everybody draws from one seed", killed_by="build-is-local")
class SetsSeed(Afterwards):
    def then(self):
        torch.manual_seed(0)


@mutant("weights are shuffled by Python's generator", killed_by="build-is-local")
class ShufflesByPython(Afterwards):
    def then(self):
        random.random()


class KeepsLambda(Afterwards):
    def then(self):
        self.scaled = lambda x: x * 1

    def finish(self, x, padding_mask):
        return super().finish(self.scaled(x), padding_mask)


# not by a decorator: pickle finds a class by its name
keeps_lambda = mutant("a lambda is kept on the module", killed_by="pickles")(KeepsLambda)


@mutant("a state of another model is loaded as far as it goes", killed_by="strict-loading")
class LoadsAnything(AttentionEncoder):
    def load_state_dict(self, state_dict, strict=True, assign=False):
        return super().load_state_dict(state_dict, strict=False, assign=assign)


@mutant("weights that a state lacks are not missed", killed_by="strict-loading")
class MissesNothing(AttentionEncoder):
    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.register_load_state_dict_post_hook(lambda _, keys: keys.missing_keys.clear())


@mutant(
    "an output shares the embedding's weight until a checkpoint is loaded",
    killed_by="tied-by-assigning",
    declares={"shared_tensors": True, "exportable": None},
)
class UntiedByLoading(AttentionEncoder):
    def __init__(self, *, sizes, num_layers, dropout):
        super().__init__(sizes=sizes, num_layers=num_layers, dropout=dropout)
        self.out = nn.Linear(sizes.hidden_dim, sizes.vocab_size, bias=False)
        self.out.weight = self.embedding.weight

    def finish(self, x, padding_mask):
        return super().finish(x + self.out(x).softmax(-1) @ self.out.weight, padding_mask)


_TABLES: dict[tuple[int, int], torch.Tensor] = {}


@mutant("a table keeps the dtype of the call that made it", killed_by="dtype-of-first-call")
class TableOfFirstCall(AttentionEncoder):
    def place(self, x, padding_mask):
        size = x.shape[1], x.shape[2]
        if size not in _TABLES:
            _TABLES[size] = sinusoids(torch.arange(size[0]), size[1], x.dtype)
        return x + _TABLES[size].to(x.dtype)


@mutant("positions are counted in half precision", killed_by="late-steps-in-half")
class CountsInHalf(AttentionEncoder):
    def positions(self, x, padding_mask):
        return torch.arange(x.shape[1], dtype=x.dtype)


@mutant("positions are counted in bfloat16 in bfloat16", killed_by="late-steps-in-half")
class HalfSinusoids(AttentionEncoder):
    def place(self, x, padding_mask):
        places = torch.cumsum(torch.ones_like(x[0, :, 0]), 0) - 1
        return x + sinusoids(places, x.shape[2], x.dtype)


class Even(Conv):
    """A convolution of two steps, which sees one before and none after."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, kernel_size=2)
        self.conv = nn.Conv1d(inputs, outputs, 2, padding=1)

    def forward(self, x, padding_mask):
        return super().forward(x, padding_mask)[:, :-1]


@conv("a convolution with an even kernel is padded on one side", killed_by="reach")
class EvenKernel(ConvEncoder):
    conv_type = Even


@predictor("in training it looks whether durations are long", killed_by="no-waiting")
class LooksInTraining(ConvPredictor):
    def start(self, hidden, padding_mask):
        if self.training and hidden.detach().abs().max().item() > 1e30:
            raise ValueError("`hidden` is too large.")
        return super().start(hidden, padding_mask)


@predictor("in training valid phonemes are picked by their number", killed_by="no-waiting")
class PicksInTraining(ConvPredictor):
    def finish(self, x, padding_mask):
        if not self.training:
            return super().finish(x, padding_mask)
        return torch.zeros_like(x).masked_scatter(~padding_mask, x[~padding_mask])


class OverQueries(Attention):
    """Attention whose weights are normalised over the wrong axis; nothing that is seen tells."""

    def weigh(self, scores, hidden):
        rows = hidden.transpose(2, 3)
        return self.fill(scores, rows).softmax(-2).masked_fill(rows | hidden, 0)
