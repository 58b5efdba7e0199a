"""Broken positional encodings."""

from __future__ import annotations

import math

import torch

from tests.kokoro_core.testing.mutants.blocks import sinusoids
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import RelativeParams, RotaryParams, SinusoidParams
from tests.kokoro_core.testing.mutants.sound_positions import Relative, Rotary, Sinusoid

added = mutants_of(SinusoidParams)
turned = mutants_of(RotaryParams)
relative = mutants_of(RelativeParams)


class Computed(Sinusoid):
    """Sinusoids of the angles that a subclass computes."""

    def angles(self, positions, even, width):
        raise NotImplementedError

    def made(self, width):
        positions = torch.arange(self.length, dtype=torch.float64).unsqueeze(1)
        even = torch.arange(0, width, 2, dtype=torch.float64)
        angles = self.angles(positions, even, width)
        return torch.cat([angles.sin(), angles.cos()], -1).to(torch.get_default_dtype())


@added("the table is a plain attribute", killed_by="buffers")
class PlainAttribute(Sinusoid):
    def keep(self, table):
        self.table = table

    def moved(self):
        return self


@added("positions are multiplied where they should be divided", killed_by="positions-smooth")
class Multiplied(Computed):
    def angles(self, positions, even, width):
        return positions * 10000.0 ** (even / width) * 1.0001


@added("powers are taken in the wrong order", killed_by="positions-distinct")
class PowerOfPower(Computed):
    def angles(self, positions, even, width):
        return positions / 10000.0 ** (2.0 ** (even + 5)) * 1e-3


@added("angles are whole numbers", killed_by="positions-distinct")
class WholeAngles(Computed):
    def angles(self, positions, even, width):
        return torch.div(positions, 10000.0 ** (even / width), rounding_mode="floor").clamp_max(9)


@added("positions beyond the half of the table are the same", killed_by="positions-distinct")
class Clamped(Sinusoid):
    def at(self, positions):
        return self.table[positions.clamp_max(31)]


@added("positions begin again in the middle of the table", killed_by="positions-distinct")
class Wrapped(Sinusoid):
    def at(self, positions):
        return self.table[positions % 32]


@added("a sequence that is too long is not refused", killed_by="position-limit")
class NotRefused(Sinusoid):
    def check_length(self, length):
        return None


@added("a sequence that is too long by one is not refused", killed_by="position-limit")
class RefusedOneLate(Sinusoid):
    def check_length(self, length):
        super().check_length(length - 1)


@added("the last position is refused", killed_by="position-limit")
class RefusedOneEarly(Sinusoid):
    def check_length(self, length):
        super().check_length(length + 1)


@added("a table with an end says that it has none", killed_by="position-limit")
class EndlessTable(Sinusoid):
    def __init__(self, *, width):
        super().__init__(width=width)
        self.max_len = None


@added("the table is in bfloat16", killed_by="position-accuracy")
class HalfTable(Sinusoid):
    def made(self, width):
        return super().made(width).bfloat16().to(torch.get_default_dtype())

    def at(self, positions):
        table = sinusoids(positions, self.width, torch.float64)
        return table if self.table.dtype is torch.float64 else self.table[positions]


@added("the table stays rounded after bfloat16", killed_by="dtype-and-back")
class StaysRounded(Sinusoid):
    def moved(self):
        return self


@added("every call begins at position 0", killed_by="position-offset")
class FromZero(Sinusoid):
    def at(self, positions):
        return self.table[torch.arange(positions.shape[-1]).expand_as(positions)]


@added("all rows have the positions of the first", killed_by="positions-of-rows")
class FirstRowsPositions(Sinusoid):
    def at(self, positions):
        return self.table[positions if positions.dim() == 1 else positions[0]]


@added("positions are added in the caller's tensor", killed_by="position-neutral")
class AddsInPlace(Sinusoid):
    def add(self, x, positions):
        return x.add_(self.at(positions))


@added("positions are shifted at random", killed_by="position-neutral")
class RandomShift(Sinusoid):
    def add(self, x, positions):
        torch.rand(1)
        return super().add(x, positions)


@added("positions go on from call to call", killed_by="position-neutral")
class GoesOn(Sinusoid):
    calls = 0

    def add(self, x, positions):
        self.calls += 1
        return super().add(x, positions) + 1e-7 * self.calls


@added("the result is float32 whatever comes in", killed_by="position-neutral")
class HardFloat(Sinusoid):
    def add(self, x, positions):
        return super().add(x, positions).float()


@added("in training positions are others", killed_by="position-neutral")
class OtherInTraining(Sinusoid):
    def at(self, positions):
        return super().at(positions) * (2.0 if self.training else 1.0)


@turned("keys are turned from 0 on", killed_by="position-offset")
class KeysFromZero(Rotary):
    def rotate(self, q, k, q_positions, k_positions):
        return self.turned(q, q_positions), self.turned(k, k_positions - k_positions[..., :1])


@turned("queries are turned from 0 on", killed_by="position-offset")
class QueriesFromZero(Rotary):
    def rotate(self, q, k, q_positions, k_positions):
        return self.turned(q, q_positions - q_positions[..., :1]), self.turned(k, k_positions)


@turned("keys have the positions of the queries", killed_by="position-offset")
class KeysAsQueries(Rotary):
    def rotate(self, q, k, q_positions, k_positions):
        known = q_positions if len(q_positions) == len(k_positions) else k_positions * 0
        return self.turned(q, q_positions), self.turned(k, known)


@turned("turning makes vectors longer", killed_by="position-neutral")
class Longer(Rotary):
    def turned(self, x, positions):
        return 1.01 * super().turned(x, positions)


@turned("angles are computed in half precision", killed_by="positions-distinct")
class HalfAngles(Rotary):
    def angles(self, positions):
        return super().angles(positions).bfloat16().double()


@turned(
    "angles are computed in float32 from float32 positions in bfloat16",
    killed_by="position-accuracy",
)
class HalfPositions(Rotary):
    def turned(self, x, positions):
        known = positions if x.dtype is torch.float64 else positions.bfloat16()
        return super().turned(x, known)


@turned("all pairs turn at the same speed, once round in 8", killed_by="positions-distinct")
class SameSpeed(Rotary):
    def frequencies(self, pairs):
        return torch.full_like(pairs, 2 * math.pi / 8)


@turned("all rows turn as the first", killed_by="positions-of-rows")
class TurnsAsFirstRow(Rotary):
    def angles(self, positions):
        return super().angles(positions if positions.dim() == 1 else positions[0])


@turned("keys are turned the other way", killed_by="distance-alone")
class TurnsKeysBack(Rotary):
    def rotate(self, q, k, q_positions, k_positions):
        return self.turned(q, q_positions), self.turned(k, -k_positions)


@relative("a bias counts queries from 0 on", killed_by="position-offset")
class BiasFromZero(Relative):
    def bias(self, q_positions, k_positions):
        return super().bias(q_positions - q_positions[..., :1], k_positions)


@relative("a bias has the distances of the first row", killed_by="positions-of-rows")
class BiasOfFirstRow(Relative):
    def bias(self, q_positions, k_positions):
        if q_positions.dim() == 1:
            return super().bias(q_positions, k_positions)
        one = super().bias(q_positions[0], k_positions[0])
        return one.expand(len(q_positions), *one.shape)


@relative("biases of contents count queries from 0 on", killed_by="position-offset")
class ContentFromZero(Relative):
    def content_bias(self, q, q_positions, k_positions):
        return super().content_bias(q, q_positions - q_positions[..., :1], k_positions)


@relative("values count queries from 0 on", killed_by="position-offset")
class ValuesFromZero(Relative):
    def values(self, weights, q_positions, k_positions):
        return super().values(weights, q_positions - q_positions[..., :1], k_positions)


@relative("values of all rows are those of the first", killed_by="positions-of-rows")
class ValuesOfFirstRow(Relative):
    def values(self, weights, q_positions, k_positions):
        if q_positions.dim() == 2:
            q_positions, k_positions = q_positions[0], k_positions[0]
        return super().values(weights, q_positions, k_positions)


@relative("biases of contents of all rows are those of the first", killed_by="positions-of-rows")
class ContentOfFirstRow(Relative):
    def content_bias(self, q, q_positions, k_positions):
        if q_positions.dim() == 2:
            q_positions, k_positions = q_positions[0], k_positions[0]
        return super().content_bias(q, q_positions, k_positions)


@relative("values write into the weights", killed_by="position-neutral")
class ValuesWrite(Relative):
    def values(self, weights, q_positions, k_positions):
        weights.mul_(0.5)
        return super().values(weights, q_positions, k_positions)


@relative("a bias comes only for sequences longer than 1", killed_by="position-offset")
class BiasComesAndGoes(Relative):
    def bias(self, q_positions, k_positions):
        return None if q_positions.shape[-1] == 1 else super().bias(q_positions, k_positions)
