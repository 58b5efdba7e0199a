"""The page of many machines says what the arithmetic says, and the arithmetic is right."""

from __future__ import annotations

import math
import random
from functools import cache
from pathlib import Path

import pytest

from kokoro_core import load_spec
from kokoro_plugins.training.data.batching import LengthBatches, padding_share, round_up
from kokoro_plugins.training.planning import Cluster, Course, Plan, plan, ring, waiting

PAGE = Path(__file__).parents[3] / "docs" / "many-machines.md"
WAITING = {1: 0.16, 8: 0.25}
LINK = {1: 450e9, 8: 50e9}


@cache
def planned(name: str, nodes: int) -> Plan:
    """Return the plan of the page for a spec on so many machines of eight GPUs."""
    course = Course(
        hours=10_000,
        epochs=10,
        batch_frames=20_000,
        padding=0.06,
        waiting=WAITING[nodes],
        save_every=1000,
    )
    cluster = Cluster(
        nodes=nodes,
        devices=8,
        flops=989e12,
        utilisation=0.3,
        link=LINK[nodes],
        read=2e9,
        disk=1e9,
    )
    return plan(load_spec(name), course, cluster)


def cells(name: str, nodes: int) -> list[str]:
    """Return a column of the page's table, from its second row on."""
    each = planned(name, nodes)
    return [
        f"{each.parameters / 1e6:.1f} M",
        f"{each.flops_per_frame / 1e6:.0f} MFLOP",
        f"{each.flops / 1e18:.1f} EFLOP",
        f"{each.steps:,.0f}",
        f"{each.memory / 1e9:.1f} GB",
        f"{each.exchanged / 1e6:.0f} MB",
        f"{each.compute_seconds * 1e3:.1f} ms",
        f"{each.exchange_seconds * 1e3:.1f} ms",
        f"{each.read_seconds * 1e3:.1f} ms",
        f"{each.saved / 1e6:.0f} MB, {each.save_seconds:.2f} s",
        f"{each.hours:.1f} h",
        f"{each.hours_in_turn:.1f} h",
    ]


def rows() -> list[str]:
    """Return the rows of the page's table without what they are called."""
    columns = [cells(name, nodes) for name in ("voice", "default") for nodes in (1, 8)]
    return [f"| {' | '.join(row)} |" for row in zip(*columns, strict=True)]


def test_the_table_of_the_page_is_what_the_arithmetic_says():
    text = PAGE.read_text("utf-8")
    for row in rows():
        assert row in text, row


def test_the_corpus_of_the_page_is_as_large_as_it_says():
    each = planned("voice", 1)
    assert each.frames == pytest.approx(10_000 * 3600 * 22_050 / 256)
    assert each.mel_bytes == pytest.approx(each.frames * 80 * 4)
    text = PAGE.read_text("utf-8")
    assert f"{each.frames / 1e9:.1f} billion frames" in text
    assert f"{each.mel_bytes / 1e9:.0f} GB" in text


def test_a_step_of_the_profiler_is_what_the_arithmetic_counts():
    """`docs/training.md`: 337 GFLOP for 4 rows of 420 frames, without checkpointing."""
    spec = load_spec("default", overrides={"gradient_checkpointing": None})
    course = Course(1, 1, 1680, 0.0, 0.0, 1)
    one = plan(spec, course, Cluster(1, 1, 1e9, 1.0, 1.0, 1.0, 1.0))
    assert one.flops_per_frame * 1680 == pytest.approx(337e9, rel=0.08)
    assert one.exchanged == 0


def test_hours_are_those_of_the_slowest_of_three_or_of_all_three_in_turn():
    spec = load_spec("voice")
    course = Course(
        hours=256 / 22_050, epochs=2, batch_frames=1000, padding=0.5, waiting=0.5, save_every=2
    )
    each = plan(spec, course, Cluster(2, 2, 1e12, 0.5, 1e6, 1e6, 1e9))
    assert each.frames == pytest.approx(3600)
    assert each.steps == pytest.approx(2 * 3600 / (1000 * 0.5 * 4))
    assert each.compute_seconds == pytest.approx(each.flops_per_frame * 1000 / 0.5e12 * 2)
    assert each.exchange_seconds == pytest.approx(1.5 * each.parameters * 4 / 1e6)
    assert each.read_seconds == pytest.approx(2000 * 80 * 4 / 2e6)
    assert each.saved == 12 * each.parameters
    saving = each.saved / 1e9 / 2
    slowest = max(each.compute_seconds, each.exchange_seconds, each.read_seconds)
    assert each.hours == pytest.approx(each.steps * (slowest + saving) / 3600)
    three = each.compute_seconds + each.exchange_seconds + each.read_seconds
    assert each.hours_in_turn == pytest.approx(each.steps * (three + saving) / 3600)


def test_a_ring_sends_each_part_round_twice():
    assert ring(100.0, 1) == 0
    assert ring(100.0, 2) == 100
    assert ring(100.0, 4) == 150


def test_processes_wait_for_the_slowest_of_each_step():
    assert waiting([1.0, 1.0, 1.0, 1.0], 2) == 0
    assert waiting([1.0, 3.0, 2.0, 2.0], 2) == pytest.approx(1 - (2 + 2) / (3 + 2))
    assert waiting([1.0, 3.0, 9.0], 2) == pytest.approx(1 - 2 / 3)  # no short step


def test_padding_and_waiting_of_the_page_are_those_of_our_order_of_batches():
    """Of lengths that are made up, a frame's cost growing with its utterance as in `default`."""
    generator = random.Random(0)
    lengths = [
        min(1800, max(40, round(generator.lognormvariate(math.log(520), 0.5))))
        for _ in range(60_000)
    ]
    batches = LengthBatches(lengths, batch_frames=20_000).epoch(0)
    assert padding_share(batches, lengths) == pytest.approx(0.06, abs=0.01)
    per_frame, more = 28.5e6, 12.4e3
    longest = [round_up(max(lengths[index] for index in batch), 16) for batch in batches]
    costs = [
        len(batch) * most * (per_frame + more * most)
        for batch, most in zip(batches, longest, strict=True)
    ]
    assert waiting(costs, 8) == pytest.approx(WAITING[1], abs=0.02)
    assert waiting(costs, 64) == pytest.approx(WAITING[8], abs=0.03)


def test_a_spec_without_audio_has_no_frames_in_an_hour():
    spec = load_spec("small", overrides={"audio": None, "frontend": None, "vocoder": None})
    with pytest.raises(ValueError, match="`small` has no `audio`, which says how many frames"):
        plan(spec, Course(1, 1, 100, 0, 0, 1), Cluster(1, 1, 1, 1, 1, 1, 1))
