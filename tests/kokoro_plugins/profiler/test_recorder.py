"""Rows are right: checked on a device whose time and memory the test sets."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.profiler import recorder as recorder_module
from kokoro_plugins.profiler.recorder import Recorder, RowKey

OUTER, INNER = RowKey("decoder", "forward"), RowKey("decoder.positional_encoding", "add")


@pytest.fixture
def recorder(fake_device):
    return Recorder(fake_device)


def test_total_time_holds_inner_calls_and_self_time_does_not(recorder, fake_device):
    with recorder.call(OUTER):
        fake_device.spend(1.0)
        for _ in range(3):
            with recorder.call(INNER):
                fake_device.spend(2.0)
        fake_device.spend(4.0)
    recorder.read_times()
    outer, inner = recorder.rows[OUTER], recorder.rows[INNER]
    assert (outer.calls, outer.total_s, outer.self_s) == (1, 11.0, 5.0)
    assert (inner.calls, inner.total_s, inner.self_s) == (3, 6.0, 6.0)


def test_a_peak_inside_an_inner_call_is_also_the_outer_ones_and_not_the_next_ones(
    recorder, fake_device
):
    with recorder.call(OUTER), recorder.call(INNER):
        fake_device.spend(1.0, keep=10, top=500)
    with recorder.call(RowKey("postnet", "forward")):
        fake_device.spend(1.0, keep=20)
    rows = recorder.rows
    assert [each.peak_bytes for each in rows.values()] == [600, 600, 130]
    assert [each.growth_bytes for each in rows.values()] == [500, 500, 20]
    assert [each.left_bytes for each in rows.values()] == [10, 10, 20]
    assert [each.reserved_bytes for each in rows.values()] == [1110, 1110, 1130]
    assert recorder.peak == 600


def test_a_peak_between_calls_is_nobodys_but_the_models(recorder, fake_device):
    with recorder.call(OUTER):
        fake_device.spend(1.0, top=50)
    fake_device.spend(1.0, top=900)
    with recorder.call(OUTER):
        fake_device.spend(1.0, top=70)
    assert recorder.rows[OUTER].peak_bytes == 170
    assert recorder.peak == 1000


def test_a_sample_inside_a_call_takes_nothing_from_its_peak(recorder, fake_device):
    with recorder.call(OUTER):
        fake_device.spend(1.0, top=300)
        recorder.sample()
    assert recorder.rows[OUTER].peak_bytes == 400


def test_what_is_left_is_the_most_of_one_call_also_if_all_free_memory(recorder, fake_device):
    for kept in (-30, -10, -20):
        with recorder.call(OUTER):
            fake_device.spend(1.0, keep=kept)
    assert recorder.rows[OUTER].left_bytes == -10


def test_restarting_the_peak_takes_what_is_allocated_now(recorder, fake_device):
    fake_device.spend(1.0, keep=5, top=300)
    recorder.sample()
    assert recorder.peak == 400
    recorder.restart_peak()
    assert recorder.peak == 105


def test_a_call_that_raises_is_counted_and_closed(recorder, fake_device):
    def fail():
        fake_device.spend(2.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), recorder.call(OUTER):
        fail()
    with recorder.call(INNER):
        fake_device.spend(1.0)
    recorder.read_times()
    assert recorder.rows[OUTER].total_s == 2.0
    assert recorder.rows[OUTER].self_s == 2.0


def test_a_resumed_call_adds_time_and_is_not_counted_again(recorder, fake_device):
    for resumed in (False, True, True):
        with recorder.call(OUTER, resumed=resumed):
            fake_device.spend(1.0)
    recorder.read_times()
    assert (recorder.rows[OUTER].calls, recorder.rows[OUTER].total_s) == (1, 3.0)


def test_calls_of_another_thread_have_no_parent_in_this_one(recorder, fake_device):
    def elsewhere():
        with recorder.call(INNER):
            fake_device.spend(2.0)

    with recorder.call(OUTER):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    recorder.read_times()
    assert recorder.rows[INNER].total_s == 2.0
    assert recorder.rows[OUTER].self_s == recorder.rows[OUTER].total_s == 2.0


def test_the_device_is_waited_for_only_when_times_are_read(recorder, fake_device, monkeypatch):
    monkeypatch.setattr(recorder_module, "PENDING_CALLS", 10)
    for _ in range(9):
        with recorder.call(OUTER):
            fake_device.spend(1.0)
    assert fake_device.waits == 0
    for _ in range(16):
        with recorder.call(OUTER):
            fake_device.spend(1.0)
    assert fake_device.waits == 2
    recorder.read_times()
    assert recorder.rows[OUTER].total_s == 25.0


def test_reading_times_while_a_call_runs_loses_nothing(recorder, fake_device):
    with recorder.call(OUTER):
        with recorder.call(INNER):
            fake_device.spend(1.0)
        recorder.read_times()
        fake_device.spend(1.0)
    recorder.read_times()
    assert (recorder.rows[OUTER].total_s, recorder.rows[OUTER].self_s) == (2.0, 1.0)


trees: st.SearchStrategy[list[Any]] = st.recursive(
    st.just([]), lambda inner: st.lists(st.tuples(st.sampled_from("abc"), inner), max_size=4)
)


def reference(tree, totals, own):
    """Times by hand: each node spends 1 s itself, then runs what is below it."""
    seconds = 0
    for name, below in tree:
        inside = reference(below, totals, own)
        totals[name] += 1 + inside
        own[name] += 1
        seconds += 1 + inside
    return seconds


@settings(max_examples=50, deadline=None)
@given(tree=trees)
@example(tree=[("a", [("a", [("b", [])]), ("b", [("a", [])])])])
def test_any_tree_of_calls_has_the_times_of_a_reference(make_device, tree):
    device = make_device()
    recorder = Recorder(device)

    def run(below):
        for name, inner in below:
            with recorder.call(RowKey(name, "forward")):
                device.spend(1.0)
                run(inner)

    run(tree)
    recorder.read_times()
    totals, own = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)
    whole = reference(tree, totals, own)
    rows = {key.slot: row for key, row in recorder.rows.items()}
    assert {name: row.total_s for name, row in rows.items()} == {
        name: each for name, each in totals.items() if each
    }
    assert {name: row.self_s for name, row in rows.items()} == {
        name: each for name, each in own.items() if each
    }
    assert sum(row.self_s for row in rows.values()) == whole
