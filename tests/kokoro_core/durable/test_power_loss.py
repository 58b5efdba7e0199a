"""After a power cut the last step or the new one is there, whatever the disk had not written."""

from __future__ import annotations

import pytest

from tests.kokoro_core.durable.power_loss import (
    cut_the_power,
    cut_the_power_of_another_act,
    cut_the_power_of_one_file,
)
from tests.kokoro_core.durable.small_process import RELEASE, in_small_process

DRAWS = 400 if RELEASE else 60


def test_a_power_cut_at_any_moment_leaves_the_last_step_or_the_new_one() -> None:
    reports = [
        in_small_process(cut_the_power, older=older, draws=DRAWS, forget="") for older in (0, 1, 3)
    ]
    assert [each["wrong"] for each in reports] == [[], [], []]
    assert sum(each["states"] for each in reports) >= 500


def test_a_power_cut_while_one_file_is_replaced_leaves_the_old_or_the_new() -> None:
    report = in_small_process(cut_the_power_of_one_file, draws=DRAWS, forget="")
    assert report["wrong"] == []
    assert report["states"] >= 10


@pytest.mark.parametrize("name", ["back", "again"])
def test_a_power_cut_while_steps_are_moved_about_leaves_a_whole_one(name: str) -> None:
    report = in_small_process(cut_the_power_of_another_act, name=name, draws=8)
    assert report["wrong"] == []
    assert report["states"] >= 15


@pytest.mark.parametrize("forget", ["files", "folders"])
def test_a_disk_that_keeps_no_syncs_is_found_out(forget: str) -> None:
    """That each kind of sync is needed: without it, there are states in which a step is lost."""
    assert in_small_process(cut_the_power, older=1, draws=1, forget=forget)["wrong"]
    assert in_small_process(cut_the_power_of_one_file, draws=1, forget="files")["wrong"]
