"""The course that the component takes."""

from __future__ import annotations

import pytest

from kokoro_core.scaffold.examples.schedule.params import ExampleParams


@pytest.mark.parametrize(
    ("done", "progress", "share"),
    [
        (0, 0.0, 0.1),
        (4, 0.01, 0.5),
        (9, 0.02, 1.0),
        (500, 0.75, 1.0),
        (700, 0.9, 0.4),
        (999, 1.0, 0.0),
        (1200, 1.2, 0.0),  # a training that ends by the clock may go a step beyond
    ],
)
def test_the_rate_rises_stays_and_falls(done: int, progress: float, share: float) -> None:
    schedule = ExampleParams(warmup_steps=9, last=0.25).build()
    assert schedule.factor(done, progress) == pytest.approx(share)
