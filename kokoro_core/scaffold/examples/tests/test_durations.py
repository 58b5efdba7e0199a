"""What every regulator must keep."""

from __future__ import annotations

from hypothesis import example, given, settings

from kokoro_core.scaffold.examples.regulator.params import ExampleParams
from kokoro_core.spec.sizes import Sizes
from kokoro_core.testing import checks, make_probe
from kokoro_core.testing.strategies import durations

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)
PROBE = make_probe(ExampleParams(), SIZES)


@settings(deadline=None, max_examples=10)
@given(rows=durations())
@example(rows=[[0]])
@example(rows=[[1], [0, 0, 1]])
def test_it_plans_as_many_frames_as_the_durations_say(rows: list[list[int]]) -> None:
    checks.check_durations(PROBE, rows)
