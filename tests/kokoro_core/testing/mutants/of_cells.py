"""Broken recurrent decoders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import CellDecoderParams
from tests.kokoro_core.testing.mutants.sound_cell import CellDecoder, Celled

mutant = mutants_of(CellDecoderParams)


class OwnState(CellDecoder):
    """A decoder with another state."""

    state_type = Celled

    def state(self, *fields):
        return self.state_type(*fields)


@mutant("the cell goes on from where the last call ended", killed_by="state-unchanged")
class CellGoesOn(CellDecoder):
    def run(self, frames, state):
        last = self.__dict__.get("last")
        if last is not None and state.position == 0 and last.shape == state.hidden.shape:
            state.hidden = state.hidden + 1e-3 * last
        made = super().run(frames, state)
        self.__dict__["last"] = state.hidden.detach()
        return made


@mutant("a fork forgets the cell", killed_by="chunks-and-forks")
class ForkWithoutCell(OwnState):
    @dataclass
    class state_type(Celled):  # noqa: N801
        def select(self, rows):
            chosen = super().select(rows)
            return replace(chosen, cell=torch.zeros_like(chosen.cell))


@mutant("a fork has the memory of the first rows", killed_by="chunks-and-forks")
class ForkWithFirstMemory(OwnState):
    @dataclass
    class state_type(Celled):  # noqa: N801
        def select(self, rows):
            return replace(
                super().select(rows), memory=self.memory[torch.arange(len(rows)) % len(self.memory)]
            )


@mutant("steps read the memory a frame late", killed_by="step-equals-forward")
class ReadsLate(CellDecoder):
    def step(self, frames, state):
        state.memory = F.pad(state.memory, (0, 0, 1, 0))[:, :-1]
        made = self.run(frames, state)
        state.memory = F.pad(state.memory, (0, 0, 0, 1))[:, 1:]
        return made


@mutant("a chunk reads one memory vector", killed_by="chunks-and-forks")
class ChunkReadsOne(CellDecoder):
    def step(self, frames, state):
        at = state.position
        memory = state.memory
        state.memory = memory.clone()
        state.memory[:, at : at + frames.shape[1]] = memory[:, at : at + 1]
        made = self.run(frames, state)
        state.memory = memory
        return made


@mutant("a chunk of two after others loses the cell", killed_by="chunks-and-forks")
class LosesTheCellAfterTwo(CellDecoder):
    def step(self, frames, state):
        later = state.position > 2
        made = super().step(frames, state)
        if later and frames.shape[1] == 2:
            state.cell = torch.zeros_like(state.cell)
        return made


@mutant("the cell is not moved on between the steps of a chunk", killed_by="chunks-and-forks")
class ChunkHoldsCell(CellDecoder):
    def step(self, frames, state):
        made = []
        hidden, cell = state.hidden, state.cell
        for frame in frames.split(1, 1):
            state.hidden, state.cell = hidden, cell
            made.append(self.run(frame, state))
        return tuple(torch.cat(each, 1) for each in zip(*made, strict=True))


@mutant("the memory of the next frame is read", killed_by="reach")
class ReadsAhead(CellDecoder):
    def read(self, state):
        return state.memory[:, min(state.position + 1, state.memory.shape[1] - 1)]


@mutant("only the memory of the first frame is read", killed_by="sensitivity")
class ReadsFirst(CellDecoder):
    def read(self, state):
        return state.memory[:, 0]


@mutant("the mean of the padded memory is read", killed_by="row-alone")
class ReadsMean(CellDecoder):
    def read(self, state):
        return state.memory[:, state.position] + 0.01 * state.memory.mean(1)


@mutant("the state begins with noise", killed_by="repeatable")
class BeginsWithNoise(CellDecoder):
    def init_state(self, memory, memory_padding_mask, max_frames):
        state = super().init_state(memory, memory_padding_mask, max_frames)
        return replace(state, hidden=0.01 * torch.randn_like(state.hidden))


@mutant("the gradient stops at each frame", killed_by="sensitivity")
class GradientStops(CellDecoder):
    def run(self, frames, state):
        return super().run(frames.detach(), state)


@mutant("an export of one step takes each step for the first", killed_by="export-in-models")
class EachStepIsTheFirst(OwnState):
    @dataclass
    class state_type(Celled):  # noqa: N801
        begun: bool = False

    def read(self, state):
        first = 0.0 if state.begun else 1.0
        state.begun = True
        return super().read(state) + first
