"""A full, failing or limited disk: an error that says so, and what was saved is there still."""

from __future__ import annotations

import pytest

from tests.kokoro_core.durable.disk_full import fail_at_every_call, full_at_sizes
from tests.kokoro_core.durable.small_process import RELEASE, in_small_process


def test_a_disk_that_is_full_at_any_of_64_sizes_leaves_the_last_step() -> None:
    sizes = list(range(0, 3100, 5 if RELEASE else 49))
    assert len(sizes) >= 64
    report = in_small_process(full_at_sizes, older=1, sizes=sizes)
    assert report["wrong"] == []
    # The largest file has 3000 bytes: below, nothing can be saved.
    assert report["found"] == [1 + (size >= 3000) for size in sizes]


@pytest.mark.parametrize("older", [0, 3])
def test_a_call_that_fails_is_reported_and_leaves_the_last_step_or_the_new(older: int) -> None:
    report = in_small_process(fail_at_every_call, older=older, every=RELEASE)
    assert report["wrong"] == []
    assert report["cases"] >= 100
    assert report["raised"] >= report["cases"] / 3  # a failing close or removal loses nothing
    assert {"write", "fsync", "rename", "mkdir", "open", "close"} <= set(report["names"])
