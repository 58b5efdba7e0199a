"""What every positional encoding must keep: a position is the same wherever one begins to count."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.scaffold.examples.positional_encoding.params import ExampleParams
from kokoro_core.spec.sizes import Sizes
from kokoro_core.testing import decoding
from kokoro_core.testing.counting import check_size

ENCODING = ExampleParams().build(hidden_dim=16, num_heads=2).double()


@pytest.mark.parametrize("start", [0, 1, 8])
def test_what_stands_later_is_encoded_as_in_the_whole_sequence(start: int) -> None:
    decoding.check_position_offset(ENCODING, hidden_dim=16, num_heads=2, length=9, start=start)


@pytest.mark.parametrize("hidden_dim", [15, 16])
def test_its_size_is_counted_right_without_building_it(hidden_dim: int) -> None:
    sizes = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=hidden_dim)
    check_size(ExampleParams(), sizes)


def test_each_row_may_have_positions_of_its_own() -> None:
    positions = torch.tensor([[0, 1, 2], [7, 3, 5]])
    decoding.check_positions_of_rows(ENCODING, hidden_dim=16, num_heads=2, positions=positions)
