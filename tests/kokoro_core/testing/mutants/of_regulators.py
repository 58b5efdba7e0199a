"""Broken regulators."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.blocks import zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import BlendParams, RepeatParams
from tests.kokoro_core.testing.mutants.sound_regulators import Blend, Repeat

mutant = mutants_of(RepeatParams)
blend = mutants_of(BlendParams)


@mutant("memory is a frame late", killed_by="repeats")
class OneLate(Repeat):
    def finish(self, memory, plan):
        return super().finish(F.pad(memory, (0, 0, 1, 0))[:, :-1], plan)


@mutant("memory is a frame early", killed_by="repeats")
class OneEarly(Repeat):
    def shares(self, frames, durations, dtype):
        return super().shares(frames + 1, durations, dtype)


@mutant("a phoneme of 0 frames gets one", killed_by="plan")
class ZeroAsOne(Repeat):
    def cleaned(self, durations, padding_mask):
        return zeroed(durations.clamp_min(1), padding_mask)


@mutant("memory is cut off from the encoder", killed_by="plan-gradient")
class Detached(Repeat):
    def finish(self, memory, plan):
        return super().finish(memory, plan).detach()


@mutant("the gradient is a share of the frames", killed_by="plan-gradient")
class ScaledGradient(Repeat):
    def finish(self, memory, plan):
        halved = memory / 2 + (memory / 2).detach()
        return super().finish(halved, plan)


@mutant("every row is as long as the longest", killed_by="plan")
class AllAsLongest(Repeat):
    def lengths(self, durations):
        return durations.sum(1).max().expand(len(durations))


@mutant("a plan has room for the frames that it has, not for those asked for", killed_by="plan")
class IgnoresRoom(Repeat):
    def plan(self, hidden, durations, padding_mask, num_frames=None):
        return super().plan(hidden, durations, padding_mask, None)


@mutant("lengths count the frames of padded phonemes", killed_by="plan")
class LengthsWithExtra(Repeat):
    def lengths(self, durations):
        return durations.sum(1) + (durations[:, -1] == 0)


@mutant("rows are repeated in one piece and cut again", killed_by="repeats")
class CutFromOnePiece(Repeat):
    def expand(self, plan, x):
        flat = x.flatten(0, 1).repeat_interleave(plan.durations.flatten(), 0)
        rows, width = plan.padding_mask.shape
        flat = F.pad(flat, (0, 0, 0, max(0, rows * width - len(flat))))[: rows * width]
        return self.finish(flat.view(rows, width, -1), plan)


@mutant("a tensor of one channel loses its axis", killed_by="repeats")
class SqueezedChannel(Repeat):
    def finish(self, memory, plan):
        return super().finish(memory.squeeze(2), plan)


@mutant("a plan serves one tensor, and gives its result for every other", killed_by="weights")
class ServesOneTensor(Repeat):
    def expand(self, plan, x):
        if not hasattr(plan, "kept") or plan.kept.shape[2] != x.shape[2]:
            object.__setattr__(plan, "kept", super().expand(plan, x))
        return plan.kept.clone()


@mutant("lengths are of 32 bits", killed_by="plan")
class ShortLengths(Repeat):
    def lengths(self, durations):
        return durations.sum(1).int()


@mutant("the last frame goes on in the padding", killed_by="padding-is-zero")
class GoesOn(Repeat):
    def finish(self, memory, plan):
        return memory + plan.padding_mask.unsqueeze(2) * memory.sum(1, keepdim=True)


@mutant("durations are made whole in the caller's tensor", killed_by="inputs-unchanged")
class WritesDurations(Repeat):
    def cleaned(self, durations, padding_mask):
        return durations.masked_fill_(padding_mask, 0).clamp_(min=0, max=3)


@mutant("vectors are multiplied by a share of 0, which keeps a NaN", killed_by="padding-nan")
class KeepsNan(Repeat):
    def expand(self, plan, x):
        return self.finish(plan.shares.to(x.dtype) @ x, plan)


@mutant("phonemes of more than 1000 frames are cut", killed_by="plan")
class CutLongPhonemes(Repeat):
    def cleaned(self, durations, padding_mask):
        return super().cleaned(durations.clamp_max(1000), padding_mask)


@mutant("frames are counted in the dtype of the model", killed_by="plan-in-half")
class CountsInModelDtype(Repeat):
    def shares(self, frames, durations, dtype):
        return super().shares(frames.to(dtype), durations.to(dtype), dtype)


@mutant("the plan forgets which phonemes are padding", killed_by="plan")
class PlanWithOtherDurations(Repeat):
    def plan(self, hidden, durations, padding_mask, num_frames=None):
        made = super().plan(hidden, durations, padding_mask, num_frames)
        return replace(made, durations=made.durations.flip(1))


@mutant("the padding mask of the plan is inverted", killed_by="plan")
class InvertedPlanMask(Repeat):
    def plan(self, hidden, durations, padding_mask, num_frames=None):
        made = super().plan(hidden, durations, padding_mask, num_frames)
        return replace(made, padding_mask=~made.padding_mask)


@mutant("an empty row has a frame", killed_by="empty-row")
class EmptyRowHasFrame(Repeat):
    def finish(self, memory, plan):
        nothing = (plan.durations.sum(1) == 0)[:, None, None]
        return super().finish(memory, plan) + nothing * float("nan")


@mutant("the order of the phonemes is turned", killed_by="repeats")
class TurnedOrder(Repeat):
    def expand(self, plan, x):
        return super().expand(plan, x.flip(1))


@mutant("durations that are floats are taken and cut", killed_by="wrong-inputs")
class CutsFloats(Repeat):
    def plan(self, hidden, durations, padding_mask, num_frames=None):
        return super().plan(hidden, durations.long(), padding_mask, num_frames)


@blend("the weights are not made to sum to 1", killed_by="weights")
class NotNormal(Blend):
    def normal(self, energies):
        return energies.exp()


@blend("the weights are made to sum to 1 over the frames", killed_by="weights")
class NormalOverFrames(Blend):
    def normal(self, energies):
        return energies.masked_fill(energies.isinf(), -1e9).softmax(1)


@blend("a phoneme of 0 frames takes part", killed_by="weights")
class AbsentTakesPart(Blend):
    def absent(self, durations):
        padded = (durations == 0).flip(1).cumprod(1).flip(1).bool()
        return padded.unsqueeze(1)


@blend("a blend is four frames late", killed_by="in-time")
class BlendLate(Blend):
    def times(self, frames, dtype):
        return super().times(frames, dtype) - 4


@blend("middles are ends", killed_by="in-time")
class MiddlesAreEnds(Blend):
    def middles(self, durations):
        return durations.cumsum(1).double()


@blend("middles are those of the first row", killed_by="row-alone")
class MiddlesOfFirstRow(Blend):
    def middles(self, durations):
        return super().middles(durations[:1]).expand(len(durations), -1)


@blend("weights have passed through half precision", killed_by="weights")
class BlendInHalf(Blend):
    def normal(self, energies):
        return energies.softmax(2).to(torch.bfloat16).to(energies.dtype)


@blend("frames go back to earlier phonemes", killed_by="weights")
class GoesBack(Blend):
    def times(self, frames, dtype):
        return super().times(frames, dtype).flip(0)


@blend("a phoneme's far frames have negative weights", killed_by="weights")
class NegativeWeights(Blend):
    def normal(self, energies):
        count = energies.isfinite().sum(2, keepdim=True)
        shares = energies.softmax(2)
        mean = energies.isfinite() / count.clamp_min(1)
        return 1.5 * shares - 0.5 * mean
