"""Broken autoregressive decoders: steps and their caches."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionDecoderParams
from tests.kokoro_core.testing.mutants.sound_decoders import AttentionDecoder, Cache, Layer, dropped

mutant = mutants_of(AttentionDecoderParams)
grouped = mutants_of(AttentionDecoderParams, reduction_factor=2)


@mutant("every step has the position of the first", killed_by="step-equals-forward")
class PositionIgnored(AttentionDecoder):
    def embed_step(self, frames, start):
        return self.embed(frames, 0)


@grouped("a group that is not full gets no room", killed_by="room")
class RoomRoundedDown(AttentionDecoder):
    def room(self, max_frames):
        return max_frames // self.reduction_factor


@mutant("positions in steps are one too high", killed_by="step-equals-forward")
class PositionOneOff(AttentionDecoder):
    def embed_step(self, frames, start):
        return self.embed(frames, start + (start > 0))


@mutant("a chunk has one position for all its groups", killed_by="chunks-and-forks")
class PositionOfChunk(AttentionDecoder):
    def embed_step(self, frames, start):
        return torch.cat(
            [self.embed(frames[:, i : i + 1], start) for i in range(frames.shape[1])], 1
        )


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
        return kept


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
        self.__dict__["first"] = int(max_frames == 2)
        return state

    def embed_step(self, frames, start):
        return self.embed(frames, start + self.__dict__["first"])


@mutant("steps forget what lies more than 12 groups back", killed_by="step-equals-forward")
class SlidingWindow(AttentionDecoder):
    def later_in_step(self, queries, keys):
        return self.later(queries, keys) | (keys < queries.unsqueeze(1) - 12)


@mutant(
    "a cache that is doubled at 16 groups loses its last place", killed_by="step-equals-forward"
)
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
                return super().step(
                    x, own, Cache(crossed.keys * 0, crossed.values), later, memory_hidden, at
                )
            return super().step(x, own, crossed, later, memory_hidden, at)


@mutant("steps forget the final norm", killed_by="step-equals-forward")
class NoNormInSteps(AttentionDecoder):
    def heads_of_step(self, x, state):
        return self.heads(x * 0.9 + 0.1 * x.mean(0, keepdim=True))


@mutant("steps have dropout in evaluation", killed_by="repeatable")
class DropoutInSteps(AttentionDecoder):
    def embed_step(self, frames, start):
        return dropped(self.embed(frames, start), self.dropout.p)


@mutant("steps write into the frames that they are given", killed_by="inputs-unchanged")
class WritesFrames(AttentionDecoder):
    def embed_step(self, frames, start):
        embedded = self.embed(frames, start)
        frames.zero_()
        return embedded


@mutant(
    "the memory is zeroed in the caller's tensor when decoding begins", killed_by="inputs-unchanged"
)
class WritesMemoryWhenBegun(AttentionDecoder):
    def init_state(self, memory, memory_padding_mask, max_frames):
        memory.masked_fill_(memory_padding_mask.unsqueeze(2), 0)
        return super().init_state(memory, memory_padding_mask, max_frames)


@mutant("without gradients steps see other positions", killed_by="step-equals-forward")
class FastSteps(AttentionDecoder):
    def embed_step(self, frames, start):
        return self.embed(frames, start + (not torch.is_grad_enabled()))
