"""One writer at a time, and no reader ever gets a part of a step."""

from __future__ import annotations

from tests.kokoro_core.durable.races import race, race_for_one_file
from tests.kokoro_core.durable.small_process import RELEASE, in_small_process


def test_of_several_writers_one_writes_and_readers_get_whole_steps() -> None:
    rounds, attempts, readers = (2000, 20, 6) if RELEASE else (200, 2, 2)
    report = in_small_process(race, rounds=rounds, attempts=attempts, readers=readers)
    assert report["saved"] >= rounds  # at least one writer in each round


def test_a_file_that_several_processes_replace_is_always_whole() -> None:
    rounds = 200 if RELEASE else 20
    assert in_small_process(race_for_one_file, rounds=rounds) == {"rounds": rounds}
