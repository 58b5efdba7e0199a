"""Durations: meaning, rounding, places."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.tensors.durations import (
    check_durations,
    frames_from_log,
    log_durations,
    phoneme_of_frame,
    place_in_phoneme,
    round_durations,
)

no_padding = torch.zeros(1, 1, dtype=torch.bool)
rows = st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(lambda row: sum(row) > 0)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(2.99, 3), (2.5, 3), (2.49, 2), (0.5, 1), (0.49, 1), (0.0, 1), (1000.5, 1001)],
)
def test_frames_are_rounded_half_up_and_never_truncated(frames: float, expected: int) -> None:
    result = round_durations(torch.tensor([[frames]], dtype=torch.float64), no_padding)
    assert result.tolist() == [[expected]]


def test_the_least_duration_is_a_setting() -> None:
    frames = torch.tensor([[0.2]])
    assert round_durations(frames, no_padding, min_frames=0).item() == 0
    assert round_durations(frames, no_padding, min_frames=3).item() == 3


def test_padding_lasts_no_frame_whatever_the_least() -> None:
    mask = torch.tensor([[False, True]])
    assert round_durations(torch.full((1, 2), 7.0), mask, min_frames=2).tolist() == [[7, 0]]


@given(
    frames=st.floats(0, 500),
    slow=st.floats(0.25, 4),
    fast=st.floats(0.25, 4),
)
@example(frames=1.0, slow=2.0, fast=0.5)
def test_a_higher_speed_never_lasts_longer(frames: float, slow: float, fast: float) -> None:
    slow, fast = sorted((slow, fast))
    given_frames = torch.tensor([[frames]], dtype=torch.float64)
    longer = round_durations(given_frames, no_padding, speed=slow)
    shorter = round_durations(given_frames, no_padding, speed=fast)
    assert shorter.item() <= longer.item()
    assert shorter.item() == max(1, math.floor(frames / fast + 0.5))


def test_each_phoneme_can_have_a_speed_of_its_own() -> None:
    frames = torch.tensor([[10.0, 10.0]])
    speed = torch.tensor([[1.0, 2.0]])
    mask = torch.zeros(1, 2, dtype=torch.bool)
    assert round_durations(frames, mask, speed=speed).tolist() == [[10, 5]]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_no_pace_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="`speed` must be a number above 0"):
        round_durations(torch.ones(1, 1), no_padding, speed=speed)


def test_a_negative_least_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="`min_frames` must be 0 or more, not -1"):
        round_durations(torch.ones(1, 1), no_padding, min_frames=-1)


@given(row=st.lists(st.integers(0, 10_000), min_size=1, max_size=5))
def test_frames_from_log_undo_log_durations(row: list[int]) -> None:
    durations = torch.tensor([row])
    mask = torch.zeros_like(durations, dtype=torch.bool)
    prediction = torch.tensor([[math.log(each + 1) for each in row]], dtype=torch.float64)
    assert torch.allclose(frames_from_log(prediction, mask), durations.double())
    assert torch.allclose(log_durations(durations, torch.float64), prediction, rtol=1e-12)


def test_a_prediction_below_zero_means_no_frame_and_padding_has_none() -> None:
    mask = torch.tensor([[False, False, True]])
    frames = frames_from_log(torch.tensor([[-2.0, math.log(3.0), 9.0]]), mask)
    assert torch.allclose(frames, torch.tensor([[0.0, 2.0, 0.0]]))


@given(row=rows, extra=st.integers(0, 3))
@example(row=[0, 0, 3], extra=1)
@example(row=[2, 0, 0, 1], extra=0)
@example(row=[1, 0], extra=2)
def test_each_frame_knows_its_phoneme_and_its_place_in_it(row: list[int], extra: int) -> None:
    expected = [
        (phoneme, since, duration - 1 - since)
        for phoneme, duration in enumerate(row)
        for since in range(duration)
    ]
    durations = torch.tensor([row])
    length = sum(row)
    phonemes = phoneme_of_frame(durations, length + extra)
    since, left = place_in_phoneme(durations, length + extra)
    found = list(zip(phonemes[0].tolist(), since[0].tolist(), left[0].tolist(), strict=True))
    assert found[:length] == expected
    assert all(phoneme == len(row) - 1 for phoneme, _, _ in found[length:])
    assert all(frames_left < 0 for _, _, frames_left in found[length:])


@given(
    rows=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=3),
    num_frames=st.integers(0, 20),
)
@example(rows=[[0, 0, 0]], num_frames=2)
def test_a_graph_finds_by_comparing_what_is_else_found_by_searching(
    rows: list[list[int]], num_frames: int
) -> None:
    durations = torch.tensor(rows)
    searched = phoneme_of_frame(durations, num_frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.compiler, "is_exporting", lambda: True)
        compared = phoneme_of_frame(durations, num_frames)
    assert torch.equal(compared, searched)
    assert compared.dtype is searched.dtype


def test_rows_of_a_batch_have_places_of_their_own() -> None:
    durations = torch.tensor([[2, 1], [1, 2]])
    assert phoneme_of_frame(durations, 3).tolist() == [[0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize("frames", [float("inf"), float("nan"), 1e30])
def test_a_prediction_that_is_no_number_of_frames_is_refused_by_its_place(frames: float) -> None:
    predicted = torch.tensor([[1.0, 2.0], [3.0, frames]])
    mask = torch.zeros(2, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="phoneme 1 of row 1 is to last"):
        round_durations(predicted, mask)
    mask[1, 1] = True
    assert round_durations(predicted, mask).tolist() == [[1, 2], [3, 0]]


def test_a_speed_that_makes_a_phoneme_last_for_ever_is_refused() -> None:
    with pytest.raises(ValueError, match="must be numbers below 10,000,000"):
        round_durations(torch.tensor([[5.0]]), no_padding, speed=1e-9)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_of_one_phoneme_that_is_no_pace_is_refused(wrong: float) -> None:
    mask = torch.zeros(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="`speed` must be above 0 everywhere"):
        round_durations(torch.ones(1, 2), mask, speed=torch.tensor([[1.0, wrong]]))


def test_speeds_that_do_not_fit_the_phonemes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"or of shape \(2, 1\) or \(2, 3\), not \(2,\)"):
        round_durations(torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool), speed=torch.ones(2))


@pytest.mark.parametrize(
    ("durations", "said"),
    [
        (
            torch.tensor([[1.5, 2.0]]),
            r"not torch\.float32 of shape \(1, 2\); `round_durations` makes",
        ),
        (
            torch.tensor([[1, 2, 3]]),
            r"must be int64 frames of shape \(1, 2\), .* not torch\.int64 of shape \(1, 3\)",
        ),
    ],
    ids=["floats", "another width"],
)
def test_durations_that_are_no_whole_frames_of_the_phonemes_are_refused(durations, said):
    with pytest.raises(ValueError, match=said):
        check_durations(durations, torch.zeros(1, 2, dtype=torch.bool))
