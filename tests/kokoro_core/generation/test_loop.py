"""Where the loop ends each row, against a loop over one row at a time in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, State
from kokoro_core.generation import GenerationOptions, Utterances
from kokoro_core.generation.loop import FrameLoop
from kokoro_core.model.acoustic import Memory
from kokoro_core.tensors.masks import padding_mask_from_lengths

BAD = [math.nan, math.inf, -math.inf]


@dataclass
class ScriptState(State):
    """What each row will make, and where it is."""

    position: int
    mel: Tensor
    stop_logits: Tensor


@final
class ScriptedDecoder(AutoregressiveDecoder):
    """Makes what it is told to, whatever it is fed."""

    def __init__(self, reduction_factor: int) -> None:
        super().__init__()
        self.reduction_factor = reduction_factor
        self.rows: list[int] = []

    def forward(self, *args: Any, **side_inputs: Any) -> DecoderOutput:
        raise NotImplementedError

    def init_state(
        self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int, *, script: ScriptState
    ) -> ScriptState:
        assert max_frames <= script.mel.shape[1]
        return script

    def step(self, frames: Tensor, state: ScriptState) -> tuple[Tensor, Tensor]:
        self.rows.append(len(frames))
        now = slice(state.position, state.position + self.reduction_factor)
        state.position += self.reduction_factor
        return state.mel[:, now], state.stop_logits[:, now]


def loop_over(
    mel: Tensor, stop_logits: Tensor, limits: list[int], r: int, **options: Any
) -> FrameLoop:
    num = max(limits)
    memory = torch.zeros(len(limits), num, 1)
    utterances = Utterances(
        memory=Memory(memory, padding_mask_from_lengths(torch.tensor(limits), num), None),
        durations=None,
        limits=torch.tensor(limits),
        cut_short=torch.tensor([row % 2 == 1 for row in range(len(limits))]),
        available={},
        options=GenerationOptions(**options),
        frame_dim=2,
    )
    script = ScriptState(0, mel, stop_logits)
    return FrameLoop(ScriptedDecoder(r), {"script": script}, utterances)


def expected_end(mel: Tensor, stop_logits: Tensor, limit: int, row: int) -> tuple[int, str]:
    """Return length and reason of one row, frame by frame."""
    for frame in range(limit):
        numbers = [*mel[frame].tolist(), stop_logits[frame].item()]
        if not all(math.isfinite(number) for number in numbers):
            return frame, "not_finite"
        if 1 / (1 + math.exp(-stop_logits[frame].item())) > 0.5:
            return frame + 1, "stop_token"
    return limit, "max_mel_len" if row % 2 == 1 else "planned_length"


@st.composite
def scripts(draw: st.DrawFn) -> tuple[Tensor, Tensor, list[int]]:
    limits = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    mel = torch.randn(len(limits), 12, 2, generator=generator)
    stop_logits = torch.full((len(limits), 12), -1.0)
    places = st.tuples(st.integers(0, len(limits) - 1), st.integers(0, 11))
    for place in draw(st.lists(places, max_size=4)):
        stop_logits[place] = 1.0
    for place in draw(st.lists(places, max_size=2)):
        mel[(*place, draw(st.integers(0, 1)))] = draw(st.sampled_from(BAD))
    for place in draw(st.lists(places, max_size=1)):
        stop_logits[place] = draw(st.sampled_from(BAD))
    return mel, stop_logits, limits


STOP_IN_A_GROUP = (torch.ones(1, 12, 2), torch.tensor([[-1.0, 1.0, *[-1.0] * 10]]), [9])
ALL_BAD = (torch.full((2, 12, 2), math.nan), torch.zeros(2, 12), [3, 9])


@given(script=scripts(), r=st.integers(1, 3), chunk=st.integers(1, 7))
@example(script=STOP_IN_A_GROUP, r=3, chunk=1)
@example(script=ALL_BAD, r=2, chunk=4)
def test_every_row_ends_where_and_why_a_loop_over_it_alone_says(
    script: tuple[Tensor, Tensor, list[int]], r: int, chunk: int
) -> None:
    mel, stop_logits, limits = script
    loop = loop_over(mel, stop_logits, limits, r, chunk_frames=chunk)
    made = torch.cat(list(loop), dim=1)
    ends = [
        expected_end(mel[row], stop_logits[row], limit, row) for row, limit in enumerate(limits)
    ]
    assert list(zip(loop.lengths.tolist(), loop.stop_reasons(), strict=True)) == ends
    assert made.shape[1] == max(length for length, _ in ends)
    for row, (length, _) in enumerate(ends):
        assert torch.equal(made[row, :length], mel[row, :length])
        assert (made[row, length:] == 0).all()


def test_rows_that_have_ended_leave_and_nobody_waits_for_them() -> None:
    limits = [2, 9, 4, 4, 7, 2, 9, 9]
    loop = loop_over(torch.ones(8, 12, 2), torch.full((8, 12), -1.0), limits, 1)
    made = torch.cat(list(loop), dim=1)
    rows = loop._decoder.rows
    assert rows == [8, 8, 6, 6, 4, 4, 4, 3, 3]
    assert made.abs().amax(-1).sum(1).tolist() == limits


def test_one_row_of_many_stays_until_leaving_is_worth_a_copy() -> None:
    limits = [1, 2, *[3] * 15]
    loop = loop_over(torch.ones(17, 12, 2), torch.full((17, 12), -1.0), limits, 1)
    assert sum(chunk.shape[1] for chunk in loop) == 3
    assert loop._decoder.rows == [17, 17, 17]
    assert loop.lengths.tolist() == limits


def test_time_ends_the_rows_that_go_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = loop_over(torch.ones(3, 12, 2), torch.full((3, 12), -1.0), [2, 9, 9], 1)
    looks = iter([False, False, False, True])
    monkeypatch.setattr(Utterances, "time_is_over", lambda self: next(looks))
    made = torch.cat(list(loop), dim=1)
    assert made.shape[1] == 4
    assert loop.lengths.tolist() == [2, 4, 4]
    assert loop.stop_reasons() == ["planned_length", "time", "time"]
