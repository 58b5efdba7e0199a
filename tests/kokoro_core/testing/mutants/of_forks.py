"""Broken autoregressive decoders: states that are forked, reordered and dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from kokoro_core.contracts.values import map_tensors
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionDecoderParams
from tests.kokoro_core.testing.mutants.sound_decoders import AttentionDecoder, Decoded

mutant = mutants_of(AttentionDecoderParams)
grouped = mutants_of(AttentionDecoderParams, reduction_factor=2)


class OwnState(AttentionDecoder):
    """A decoder with another state."""

    state_type = Decoded

    def state(self, *fields):
        return self.state_type(*fields)


@mutant("a fork shares the caches", killed_by="chunks-and-forks")
class ForkAliased(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            if len(rows) != len(self.memory_hidden):
                return super().select(rows)
            return replace(super().select(rows), own=self.own)


@mutant("a fork of all rows in their order is no copy", killed_by="chunks-and-forks")
class ForkWithoutCopy(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            if rows.tolist() == list(range(len(self.memory_hidden))):
                return replace(self)
            return super().select(rows)


@mutant("a fork of one row is a view", killed_by="chunks-and-forks")
class ForkIsView(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            if len(rows) == 1:
                row = int(rows[0])
                return map_tensors(lambda leaf: leaf[row : row + 1], self)
            return super().select(rows)


@mutant("a fork sorts its rows", killed_by="chunks-and-forks")
class ForkSorts(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            return super().select(rows.sort().values)


@mutant("a fork of fewer rows has the values of its neighbours", killed_by="chunks-and-forks")
class FewerRowsTurned(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            copy = super().select(rows)
            if len(rows) < len(self.memory_hidden):
                copy.own[-1].values = copy.own[-1].values.roll(1, 0)
            return copy


@mutant("a fork takes each row once", killed_by="chunks-and-forks")
class ForkUnique(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            first = rows.unique()
            return super().select(F.pad(first, (0, len(rows) - len(first)), value=int(first[0])))


@mutant("a fork forgets the memory's mask", killed_by="chunks-and-forks")
class ForkWithoutMask(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            chosen = super().select(rows)
            return replace(chosen, memory_hidden=torch.zeros_like(chosen.memory_hidden))


@mutant("a fork forgets to reorder the memory", killed_by="chunks-and-forks")
class ForkWithoutMemory(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            return replace(
                super().select(rows),
                crossed=map_tensors(
                    lambda leaf: leaf[: len(rows)].repeat(len(rows), 1, 1)[: len(rows)].clone(),
                    self.crossed,
                ),
            )


@mutant("a fork begins again at position 0", killed_by="chunks-and-forks")
class ForkFromZero(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            return replace(super().select(rows), position=0)


@mutant("a fork copies the keys and not the values of the last layer", killed_by="chunks-and-forks")
class ForkCopiesKeys(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            chosen = super().select(rows)
            if len(rows) == len(self.memory_hidden):
                chosen.own[-1].values = self.own[-1].values
            return chosen


@mutant("rows that are kept after a fork lose a place of their cache", killed_by="chunks-and-forks")
class ForkSpoilsOriginal(OwnState):
    @dataclass
    class state_type(Decoded):  # noqa: N801
        def select(self, rows):
            chosen = super().select(rows)
            self.own[0].values[:, 0] = 0
            return chosen
