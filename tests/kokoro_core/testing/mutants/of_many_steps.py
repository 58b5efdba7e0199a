"""Faults that few steps do not show, and gradients that are another function's."""

from __future__ import annotations

import copy

import torch

from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams, RotaryParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder
from tests.kokoro_core.testing.mutants.sound_positions import Rotary

mutant = mutants_of(AttentionEncoderParams)
turned = mutants_of(RotaryParams)


@mutant("half of the gradient is lost", killed_by="gradient")
class HalfGradient(AttentionEncoder):
    def place(self, x, padding_mask):
        return super().place(0.5 * x + 0.5 * x.detach(), padding_mask)


@mutant("the positions are embedded with a gradient that is turned round", killed_by="gradient")
class TurnedGradient(AttentionEncoder):
    def finish(self, x, padding_mask):
        return super().finish(2 * x.detach() - x, padding_mask)


@mutant("positions begin again after 16 steps", killed_by="long-rows")
class WrappedAt16(AttentionEncoder):
    def positions(self, x, padding_mask):
        return super().positions(x, padding_mask) % 16


@mutant("positions end at 12", killed_by="long-rows")
class ClampedAt12(AttentionEncoder):
    def positions(self, x, padding_mask):
        return super().positions(x, padding_mask).clamp_max(12)


@mutant("a row of more than 32 steps is cut", killed_by="long-rows")
class CutAt32(AttentionEncoder):
    def finish(self, x, padding_mask):
        whole = super().finish(x, padding_mask)
        late = torch.arange(x.shape[1]) >= 32
        return whole.masked_fill(late[None, :, None], 0)


@turned("what a pass uses counts queries from 0 on", killed_by="one-pass")
class ViewFromZero(Rotary):
    from_zero = False

    def for_one_pass(self):
        view = copy.copy(self)
        view.from_zero = True
        return view

    def rotate(self, q, k, q_positions, k_positions):
        first = q_positions[..., :1] if self.from_zero else 0
        return super().rotate(q, k, q_positions - first, k_positions)


@turned("half of the queries' gradient is lost", killed_by="position-gradient")
class HalfQueries(Rotary):
    def rotate(self, q, k, q_positions, k_positions):
        return super().rotate(0.5 * q + 0.5 * q.detach(), k, q_positions, k_positions)
