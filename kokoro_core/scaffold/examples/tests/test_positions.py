"""What every positional encoding must keep: a position is the same wherever one begins to count."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.scaffold.examples.positional_encoding.params import ExampleParams
from kokoro_core.testing import decoding

ENCODING = ExampleParams().build(hidden_dim=16, num_heads=2).double()


@pytest.mark.parametrize("start", [0, 1, 8])
def test_what_stands_later_is_encoded_as_in_the_whole_sequence(start: int) -> None:
    decoding.check_position_offset(ENCODING, hidden_dim=16, num_heads=2, length=9, start=start)


def test_each_row_may_have_positions_of_its_own() -> None:
    positions = torch.tensor([[0, 1, 2], [7, 3, 5]])
    decoding.check_positions_of_rows(ENCODING, hidden_dim=16, num_heads=2, positions=positions)
