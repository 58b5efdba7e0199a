"""What the component computes."""

from __future__ import annotations

import math

import pytest
import torch

from kokoro_core.scaffold.examples.positional_encoding.params import ExampleParams


def test_a_position_is_told_by_sines_and_cosines_of_it() -> None:
    encoding = ExampleParams().build(hidden_dim=4, num_heads=1)
    added = encoding.add(torch.zeros(1, 2, 4), torch.tensor([0, 3]))[0]
    slow = 3 / math.sqrt(10000)
    expected = [math.sin(3), math.cos(3), math.sin(slow), math.cos(slow)]
    assert added[0].tolist() == [0, 1, 0, 1]
    assert added[1].tolist() == pytest.approx(expected, abs=1e-6)
