"""Broken decoders whose rows make place for others."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import CellDecoderParams
from tests.kokoro_core.testing.mutants.sound_relay import RelayDecoder

mutant = mutants_of(CellDecoderParams, relay=True)


@mutant("a row that takes a place keeps the cell that was there", killed_by="rows-make-place")
class KeepsTheCell(RelayDecoder):
    def put(self, old, rows, new):
        kept = old.cell
        return replace(super().put(old, rows, new), cell=kept)


@mutant("a row that takes a place reads the memory of the row before", killed_by="rows-make-place")
class ReadsTheOldMemory(RelayDecoder):
    def put(self, old, rows, new):
        put = super().put(old, rows, new)
        width = old.memory.shape[1]
        put.memory[:, :width] = old.memory
        return put


@mutant("a row that takes a place begins where the others are", killed_by="rows-make-place")
class BeginsLate(RelayDecoder):
    def put(self, old, rows, new):
        late = torch.roll(new.memory, -1, 1)
        return super().put(old, rows, replace(new, memory=late))


@mutant("neighbours of a row that takes a place begin anew", killed_by="rows-make-place")
class AllBeginAnew(RelayDecoder):
    def put(self, old, rows, new):
        put = super().put(old, rows, new)
        return replace(put, hidden=torch.zeros_like(put.hidden), cell=torch.zeros_like(put.cell))


@mutant("neighbours of a row that takes a place read from the start", killed_by="rows-make-place")
class NeighboursReadAgain(RelayDecoder):
    def from_here(self, state):
        return replace(state, position=0)


@mutant("a row takes the first place, whichever is free", killed_by="rows-make-place")
class TakesTheFirstPlace(RelayDecoder):
    def put(self, old, rows, new):
        return super().put(old, torch.arange(len(rows)), new)


@mutant("a row has no more room than the one before it", killed_by="rows-make-place")
class HasOldRoom(RelayDecoder):
    def replace_rows(self, state, rows, begun):
        room = state.memory.shape[1] - state.position
        begun.memory[:, room:] = 0
        return super().replace_rows(state, rows, begun)


@mutant("what is not finite stays in its place", killed_by="rows-make-place")
class KeepsNan(RelayDecoder):
    def put(self, old, rows, new):
        put = super().put(old, rows, new)
        return replace(put, hidden=put.hidden + 0 * old.hidden)


@mutant("rows that are said to make place cannot", killed_by="rows-make-place")
class CannotReplace(RelayDecoder):
    def replace_rows(self, state, rows, begun):
        raise NotImplementedError("Rows cannot be replaced.")
