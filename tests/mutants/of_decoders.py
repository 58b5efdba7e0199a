"""Broken autoregressive decoders with caches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from kokoro_core.contracts.values import map_tensors
from tests.mutants.blocks import Attention, sinusoids, zeroed
from tests.mutants.mutant import mutants_of
from tests.mutants.params import AttentionDecoderParams
from tests.mutants.sound_decoders import AttentionDecoder, Cache, Decoded, Layer, dropped

mutant = mutants_of(AttentionDecoderParams)
dropping = mutants_of(AttentionDecoderParams, dropout=0.2)
grouped = mutants_of(AttentionDecoderParams, reduction_factor=2)


# Causality.


@mutant("there is no causal mask", killed_by="causality")
class NoCausalMask(AttentionDecoder):
    def later(self, queries, keys):
        return torch.zeros_like(super().later(queries, keys))


@mutant("the causal mask lets the next group in", killed_by="causality")
class CausalMaskOneOff(AttentionDecoder):
    def later(self, queries, keys):
        return keys > queries.unsqueeze(1) + 1


@mutant("the causal mask is turned", killed_by="causality")
class CausalMaskTurned(AttentionDecoder):
    def later(self, queries, keys):
        return keys < queries.unsqueeze(1)


@mutant("the causal mask is missing in the second layer", killed_by="causality")
class CausalInOneLayer(AttentionDecoder):
    def run(self, x, memory, later, memory_hidden):
        x = self.layers[0](x, memory, later, memory_hidden)
        return self.layers[1](x, memory, torch.zeros_like(later), memory_hidden)


@mutant("the target is not shifted", killed_by="causality")
class NotShifted(AttentionDecoder):
    def shift(self, mel):
        return mel


@mutant("the target leaks a millionth of itself", killed_by="causality")
class WeakLeak(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        self.__dict__["told"] = mel_specs.detach().mean(2)
        return super().teacher(mel_specs, mel_padding_mask)

    def finish(self, x, padding_mask):
        told = self.__dict__["told"]
        return zeroed(x + 1e-6 * (told if x.dim() == 2 else told.unsqueeze(2)), padding_mask)


@mutant("a mean over all frames is taken off", killed_by="causality")
class MeanOverFrames(AttentionDecoder):
    def run(self, x, memory, later, memory_hidden):
        return super().run(x - 0.01 * x.mean(1, keepdim=True), memory, later, memory_hidden)


@mutant("the frames before are not heard", killed_by="causality")
class DeafToFrames(AttentionDecoder):
    def shift(self, mel):
        return 0 * super().shift(mel)


@grouped("a group knows its own first frame", killed_by="causality")
class ShiftedByOne(AttentionDecoder):
    def shift(self, mel):
        return F.pad(super().shift(mel), (0, 0, 0, 0)).roll(-1, 1)


@grouped("of a group only the first frame is heard", killed_by="causality")
class FirstOfGroup(AttentionDecoder):
    def embed(self, fed, start):
        kept = fed.clone()
        kept[:, 1::2] = 0
        return super().embed(kept, start)


@grouped("a last group that is not full is cut off", killed_by="shapes")
class CutLastGroup(AttentionDecoder):
    def heads(self, x):
        mel, stop_logits = super().heads(x)
        return mel[:, : mel.shape[1] - 1], stop_logits[:, : mel.shape[1] - 1]


# Steps and caches.


@mutant("every step has the position of the first", killed_by="step-equals-forward")
class PositionIgnored(AttentionDecoder):
    def embed_step(self, frames, start):
        return self.embed(frames, 0)


@mutant("positions in steps are one too high", killed_by="step-equals-forward")
class PositionOneOff(AttentionDecoder):
    def embed_step(self, frames, start):
        return self.embed(frames, start + (start > 0))


@mutant("a chunk has one position for all its groups", killed_by="chunks-and-forks")
class PositionOfChunk(AttentionDecoder):
    def embed_step(self, frames, start):
        return torch.cat([self.embed(frames[:, i : i + 1], start) for i in range(frames.shape[1])], 1)


@mutant("the position goes on by one whatever the chunk", killed_by="chunks-and-forks")
class AdvancesByOne(AttentionDecoder):
    def advanced(self, start, groups):
        return start + 1


@mutant("groups of a chunk look at each other in both directions", killed_by="chunks-and-forks")
class BidirectionalChunk(AttentionDecoder):
    def later_in_step(self, queries, keys):
        return torch.zeros_like(self.later(queries, keys))


@mutant("a chunk's causal mask is aligned to the top left", killed_by="chunks-and-forks")
class MaskAlignedTopLeft(AttentionDecoder):
    def later_in_step(self, queries, keys):
        if len(queries) == 1:
            return self.later(queries, keys)
        return self.later(queries - queries[0], keys)


@mutant("of a chunk only the last group is remembered", killed_by="chunks-and-forks")
class RemembersLastOfChunk(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            made = super().step(x, own, crossed, later, memory_hidden, at)
            own.keys[:, at : at + x.shape[1] - 1] = 0
            return made


@mutant("the cache is written one place late", killed_by="step-equals-forward")
class WritesLate(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            made = super().step(x, own, crossed, later, memory_hidden, at)
            own.keys[:, at + 1 :] = own.keys[:, at : at + 1]
            own.keys[:, at] = 0
            return made


@mutant("the newest group is missing from the cache", killed_by="step-equals-forward")
class MissesNewest(AttentionDecoder):
    def later_in_step(self, queries, keys):
        return keys >= queries.unsqueeze(1).clamp_min(1)


@mutant("all layers share the cache of the last", killed_by="step-equals-forward")
class OneCacheForAll(AttentionDecoder):
    def init_state(self, memory, memory_padding_mask, max_frames):
        state = super().init_state(memory, memory_padding_mask, max_frames)
        return replace(state, own=[state.own[-1]] * len(state.own))


@mutant("the cache of the first layer is stale", killed_by="step-equals-forward")
class StaleCache(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            keys = own.keys.clone()
            made = super().step(x, own, crossed, later, memory_hidden, at)
            own.keys[:, 1:] = keys[:, 1:]
            return made


@mutant("only the first row is written into the cache", killed_by="step-equals-forward")
class CacheOfFirstRow(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            made = super().step(x, own, crossed, later, memory_hidden, at)
            own.keys[1:, at : at + x.shape[1]] = own.keys[:1, at : at + x.shape[1]]
            return made


@mutant("the cache is kept on the module and never emptied", killed_by="step-equals-forward")
class CacheOnModule(AttentionDecoder):
    def init_state(self, memory, memory_padding_mask, max_frames):
        state = super().init_state(memory, memory_padding_mask, max_frames)
        kept = self.__dict__.setdefault("kept", {}).setdefault(memory.shape, state)
        return replace(state, position=kept.position % 3, own=kept.own)


@mutant("the cache is short by one place and writes over the last", killed_by="step-equals-forward")
class CacheShortByOne(AttentionDecoder):
    def room(self, max_frames):
        return max(1, super().room(max_frames) - 1)

    def step(self, frames, state):
        last = state.own[0].keys.shape[1] - 1
        if state.position + frames.shape[1] // self.reduction_factor > last + 1:
            state.position = max(0, last + 1 - frames.shape[1] // self.reduction_factor)
        return super().step(frames, state)


@mutant("a full cache begins again at its start", killed_by="room")
class CacheWraps(AttentionDecoder):
    def step(self, frames, state):
        state.position %= state.own[0].keys.shape[1]
        return super().step(frames, state)


@mutant("positions depend on how much room there is", killed_by="room")
class PositionsOfRoom(AttentionDecoder):
    def init_state(self, memory, memory_padding_mask, max_frames):
        state = super().init_state(memory, memory_padding_mask, max_frames)
        self.__dict__["shift_of_room"] = 0.5 if max_frames == 2 else 0.0
        return state

    def embed_step(self, frames, start):
        return self.embed(frames, start) + self.__dict__["shift_of_room"]


@mutant("steps forget what lies more than 12 groups back", killed_by="step-equals-forward")
class SlidingWindow(AttentionDecoder):
    def later_in_step(self, queries, keys):
        return self.later(queries, keys) | (keys < queries.unsqueeze(1) - 12)


@mutant("a cache that is doubled at 16 groups loses its last place", killed_by="step-equals-forward")
class LosesAPlaceWhenDoubled(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            made = super().step(x, own, crossed, later, memory_hidden, at)
            if at == 16:
                own.keys[:, 15] = 0
            return made


@mutant("the whole past is computed again for each group", killed_by="step-cost")
class NoCache(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            for _ in range(at):
                self.own.key(x)
            return super().step(x, own, crossed, later, memory_hidden, at)


@mutant("the cache is copied whole for each group, again and again", killed_by="step-cost")
class CopiesCache(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            for _ in range(3 * at):
                own.keys[:, : at + 1].clone()
            return super().step(x, own, crossed, later, memory_hidden, at)


@mutant("stop logits are those of the frame before", killed_by="step-equals-forward")
class StopOfFrameBefore(AttentionDecoder):
    def heads(self, x):
        mel, stop_logits = super().heads(x)
        return mel, F.pad(stop_logits, (1, 0))[:, :-1]


@mutant("stop logits of a chunk are all of its last group", killed_by="chunks-and-forks")
class StopOfChunk(AttentionDecoder):
    def heads_of_step(self, x, state):
        mel, stop_logits = self.heads(x)
        return mel, stop_logits[:, -1:].expand_as(stop_logits)


@grouped("a step gives the frames of a group in another order", killed_by="step-equals-forward")
class GroupTurned(AttentionDecoder):
    def heads_of_step(self, x, state):
        mel, stop_logits = self.heads(x)
        return mel.unflatten(1, (-1, 2)).flip(2).flatten(1, 2), stop_logits


@mutant("the second layer is left out of a step", killed_by="step-equals-forward")
class LayerLeftOut(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            if at > 0 and own.keys.shape[1] > 1:
                return super().step(x, own, Cache(crossed.keys * 0, crossed.values), later, memory_hidden, at)
            return super().step(x, own, crossed, later, memory_hidden, at)


@mutant("steps forget the final norm", killed_by="step-equals-forward")
class NoNormInSteps(AttentionDecoder):
    def heads_of_step(self, x, state):
        return self.heads(x * 0.9 + 0.1 * x.mean(0, keepdim=True))


@dropping("steps have dropout in evaluation", killed_by="repeatable")
class DropoutInSteps(AttentionDecoder):
    def embed_step(self, frames, start):
        return dropped(self.embed(frames, start), self.dropout.p)


@mutant("steps write into the frames that they are given", killed_by="inputs-unchanged")
class WritesFrames(AttentionDecoder):
    def embed_step(self, frames, start):
        embedded = self.embed(frames, start)
        frames.zero_()
        return embedded


@mutant("the memory is zeroed in the caller's tensor when decoding begins", killed_by="inputs-unchanged")
class WritesMemoryWhenBegun(AttentionDecoder):
    def init_state(self, memory, memory_padding_mask, max_frames):
        memory.masked_fill_(memory_padding_mask.unsqueeze(2), 0)
        return super().init_state(memory, memory_padding_mask, max_frames)


@mutant("without gradients steps see other positions", killed_by="modes")
class FastSteps(AttentionDecoder):
    def embed_step(self, frames, start):
        return self.embed(frames, start + (not torch.is_grad_enabled()))


# Forks.


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
            return replace(super().select(rows), crossed=map_tensors(
                lambda leaf: leaf[: len(rows)].repeat(len(rows), 1, 1)[: len(rows)].clone(), self.crossed
            ))


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


# The memory.


@mutant("the memory's mask is forgotten in steps", killed_by="step-equals-forward")
class NoMemoryMaskInSteps(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        def step(self, x, own, crossed, later, memory_hidden, at):
            return super().step(x, own, crossed, later, torch.zeros_like(memory_hidden), at)


@mutant("the memory has the mask of the mel", killed_by="row-alone")
class MemoryHasMelMask(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        self.__dict__["mel_mask"] = mel_padding_mask
        return super().teacher(mel_specs, mel_padding_mask)

    def memory_hidden(self, memory_padding_mask):
        mask, count = self.__dict__.get("mel_mask", memory_padding_mask), memory_padding_mask.shape[1]
        mask = F.pad(mask, (0, max(0, count - mask.shape[1])), value=True)[:, :count]
        return mask[:, None, None, :]


@mutant("the memory is not masked", killed_by="row-alone")
class NoMemoryMask(AttentionDecoder):
    def memory_hidden(self, memory_padding_mask):
        return torch.zeros_like(memory_padding_mask)[:, None, None, :]


@mutant("the last vector of the memory is hidden", killed_by="sensitivity")
class MemoryMaskTooNarrow(AttentionDecoder):
    def memory_hidden(self, memory_padding_mask):
        lengths = (~memory_padding_mask).sum(1, keepdim=True)
        last = torch.arange(memory_padding_mask.shape[1]) >= (lengths - 1).clamp_min(1)
        return last[:, None, None, :]


@mutant("the memory has no positions", killed_by="order-matters")
class MemoryWithoutPositions(AttentionDecoder):
    def remembered(self, memory, memory_padding_mask):
        return zeroed(memory, memory_padding_mask)


@mutant("the memory is not used", killed_by="reach")
class MemoryUnused(AttentionDecoder):
    def remembered(self, memory, memory_padding_mask):
        return super().remembered(memory, memory_padding_mask).detach()


@mutant("the memory's padding is multiplied by 0, which keeps a NaN", killed_by="padding-nan")
class MemoryKeepsNan(AttentionDecoder):
    def remembered(self, memory, memory_padding_mask):
        every = torch.arange(memory.shape[1])
        placed = memory + sinusoids(every, memory.shape[2], memory.dtype)
        return placed * ~memory_padding_mask.unsqueeze(2)


@mutant("the target's padding is not zeroed", killed_by="padding-nan")
class TargetKeepsNan(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        return mel_specs


@mutant("outputs at padding are multiplied by 0", killed_by="padding-nan")
class OutputKeepsNan(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        return mel_specs

    def finish(self, x, padding_mask):
        return x * ~(padding_mask if x.dim() == 2 else padding_mask.unsqueeze(2))


@mutant("a row without memory is NaN", killed_by="empty-row")
class NoMemoryIsNan(AttentionDecoder):
    class layer_type(Layer):  # noqa: N801
        class cross_type(Attention):  # noqa: N801
            def fill(self, scores, hidden):
                return scores.masked_fill(hidden, float("-inf"))


@dropping("the teacher's frames have dropout in evaluation", killed_by="repeatable")
class PrenetDropout(AttentionDecoder):
    def teacher(self, mel_specs, mel_padding_mask):
        return dropped(super().teacher(mel_specs, mel_padding_mask), self.dropout.p)


@mutant("the stop logits are masked and the mel is not", killed_by="padding-is-zero")
class MelAtPadding(AttentionDecoder):
    def finish(self, x, padding_mask):
        return zeroed(x, padding_mask) if x.dim() == 2 else x


@mutant("a batch norm sits on the frames", killed_by="row-alone-in-training")
class BatchNormOnFrames(AttentionDecoder):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.batch_norm = nn.BatchNorm1d(self.mel_dim)

    def teacher(self, mel_specs, mel_padding_mask):
        clean = super().teacher(mel_specs, mel_padding_mask)
        return self.batch_norm(clean.transpose(1, 2)).transpose(1, 2)


@mutant("the state keeps frames in a list that no fork reaches", killed_by="chunks-and-forks")
class HistoryOutsideState(AttentionDecoder):
    def embed_step(self, frames, start):
        first = self.__dict__["first"] if start else frames[:, :1].detach().clone()
        self.__dict__["first"] = first
        if len(first) != len(frames):
            raise RuntimeError("The rows are others than those that it began with.")
        return self.embed(frames + 0 * first, start) + 0.01 * first.mean(2, keepdim=True) * (start > 0)
