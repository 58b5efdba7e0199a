"""Rounding, moments, what is held out, pictures, and progress."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.held_out import held_out_by_name
from kokoro_plugins.speech.preparing.moments import Moments
from kokoro_plugins.speech.preparing.rounding import frames_of_ends
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings
from kokoro_plugins.speech.preparing.watching import watch

AUDIO = AudioSettings()


@given(st.lists(st.floats(0, 3), min_size=1, max_size=20), st.floats(0, 1), st.integers(1, 300))
def test_frames_sum_to_those_of_the_mel(gaps: list[float], start: float, frames: int) -> None:
    ends = np.cumsum(gaps).tolist()
    found = frames_of_ends(ends, start, frames, AUDIO)
    assert sum(found) == frames
    assert min(found) >= 0
    assert len(found) == len(ends)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60).filter(any))
def test_frames_that_became_seconds_are_the_same_again(frames: list[int]) -> None:
    ends = (np.cumsum(frames) * 256 / 22050).tolist()
    assert list(frames_of_ends(ends, 0.0, sum(frames), AUDIO)) == frames


def test_each_end_is_rounded_by_itself() -> None:
    """A phoneme of 1.4 frames, ten times: 1 frame each would lose four of fourteen."""
    ends = [1.4 * 256 / 22050 * (index + 1) for index in range(10)]
    assert frames_of_ends(ends, 0.0, 14, AUDIO) == (1, 2, 1, 2, 1, 1, 2, 1, 2, 1)


def test_moments_of_parts_are_those_of_the_whole() -> None:
    numbers = np.random.default_rng(0).normal(3.0, 2.0, 1000)
    found = Moments.sum([Moments.of(numbers[:300]), Moments.of(numbers[300:])])
    assert found.mean == pytest.approx(numbers.mean(), abs=1e-9)
    assert found.std == pytest.approx(numbers.std(), abs=1e-9)


def test_the_least_hashes_are_held_out_and_stay_so_in_a_larger_corpus() -> None:
    names = [f"LJ{number:03d}" for number in range(200)]
    held_out = held_out_by_name(names, None)
    assert len(held_out) == 10
    largest = max(hashlib.sha256(each.encode()).hexdigest() for each in held_out)
    others = [hashlib.sha256(each.encode()).hexdigest() for each in names if each not in held_out]
    assert largest < min(others)
    assert len(held_out & held_out_by_name([*names, *"abcdefghij"], 10)) >= 8
    assert len(held_out_by_name([*map(str, range(9999))], None)) == 100


def test_too_many_held_out_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`holdout` of 3 leaves none of 3 .*hold out 2 or fewer"):
        held_out_by_name(["a", "b", "c"], 3)
    assert held_out_by_name(["a"], None) == set()


def test_where_no_terminal_is_a_line_comes_every_five_seconds() -> None:
    said = io.StringIO()
    times = iter(range(0, 100, 2))
    console = Console(file=said, width=80)
    assert list(watch("abcdefgh", 8, console, clock=lambda: next(times))) == list("abcdefgh")
    assert said.getvalue().splitlines() == [
        "prepared 4 of 8, about 8 s left",
        "prepared 7 of 8, about 2 s left",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoundSettings(loudness=3.0), r"`loudness` must be between -70 and 0 LUFS, not 3"),
        (lambda: SoundSettings(silence=-1.0), r"`silence` must be from 0 to 60 seconds, not -1"),
        (lambda: PrepareSettings(layout="zip"), r"`layout` must be one of ljspeech, .*not 'zip'"),  # type: ignore[arg-type]
        (lambda: PrepareSettings(align="mfa"), r"`align` must be one of auto, .*not 'mfa'"),  # type: ignore[arg-type]
        (lambda: PrepareSettings(workers=-1), r"`workers` must be 0 or more, not -1"),
        (lambda: PrepareSettings(drop_worst=0.7), r"`drop_worst` must be from 0 to 0.5, not 0.7"),
    ],
    ids=["loudness", "silence", "layout", "align", "workers", "drop_worst"],
)
def test_settings_out_of_range_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
