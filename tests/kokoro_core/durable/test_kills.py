"""A save that is killed leaves the last step or the new one, whole and to the bit."""

from __future__ import annotations

import pytest

from tests.kokoro_core.durable.kills import (
    kill_another_act,
    kill_at_every_call,
    kill_at_random,
    kill_the_single_file_at_every_call,
)
from tests.kokoro_core.durable.small_process import RELEASE, in_small_process


@pytest.mark.parametrize("older", [0, 1, 3])
def test_a_kill_before_any_call_leaves_the_last_step_or_the_new_one(older: int) -> None:
    report = in_small_process(kill_at_every_call, older=older, every=RELEASE)
    assert report["wrong"] == []
    assert report["calls"] >= 20
    # First the last one is found, then, from the rename on, the new one.
    assert report["found"] == sorted(report["found"])
    assert set(report["found"]) == {older, older + 1}


@pytest.mark.parametrize("older", [0, 1, 3])
def test_a_kill_at_a_random_moment_leaves_the_last_step_or_the_new_one(older: int) -> None:
    kills = 400 if RELEASE else 67
    report = in_small_process(kill_at_random, older=older, kills=kills, seed=older)
    assert report == {"killed": kills, "wrong": []}


@pytest.mark.parametrize("name", ["back", "again"])
def test_a_kill_while_steps_are_moved_about_leaves_a_whole_one(name: str) -> None:
    report = in_small_process(kill_another_act, name=name)
    assert report["wrong"] == []
    assert report["calls"] >= 20


def test_a_kill_while_one_file_is_replaced_leaves_the_old_or_the_new() -> None:
    report = in_small_process(kill_the_single_file_at_every_call)
    assert report["wrong"] == []
    assert report["calls"] >= 15
    assert report["found"] == sorted(report["found"])
    assert set(report["found"]) == {0, 1}
