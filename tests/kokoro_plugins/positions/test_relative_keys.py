from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kokoro_core.spec.load import load_spec
from kokoro_plugins.positions.params import RelativeKeysParams, RotaryParams


def built(max_distance=3, **settings):
    params = RelativeKeysParams(max_distance=max_distance, **settings)
    torch.manual_seed(0)
    return params.build(hidden_dim=8, num_heads=2).double()


@pytest.mark.parametrize("shape", ["shared", "a row"])
def test_a_score_is_that_of_the_query_and_the_key_with_the_vector_of_their_distance(shape):
    encoding = built()
    q = torch.randn(2, 2, 5, 4, dtype=torch.float64)
    q_positions, k_positions = torch.arange(2, 7), torch.arange(9)
    given = q_positions, k_positions
    if shape == "a row":
        given = q_positions.expand(2, -1), k_positions.expand(2, -1)
    found = encoding.content_bias(q, *given).detach().numpy()
    table = encoding.table.weight.detach().numpy()
    for i, j in np.ndindex(5, 9):
        distance = int(np.clip(int(q_positions[i] - k_positions[j]), -3, 2))
        wanted = q[:, :, i].numpy() @ table[distance + 3] / 2  # the square root of 4 channels
        np.testing.assert_allclose(found[:, :, i, j], wanted, rtol=1e-12)


def test_distances_that_are_far_are_not_told_apart():
    encoding = built()
    q = torch.randn(1, 2, 1, 4, dtype=torch.float64)
    scores = encoding.content_bias(q, torch.tensor([10]), torch.arange(21))
    assert torch.equal(scores[..., :8], scores[..., :1].expand(-1, -1, -1, 8))
    assert torch.equal(scores[..., 13:], scores[..., 13:14].expand(-1, -1, -1, 8))
    assert len(scores[0, 0, 0].unique()) == 6


def test_another_encoding_does_besides_what_it_does_alone():
    both, other = built(absolute=RotaryParams()), RotaryParams().build(hidden_dim=8, num_heads=2)
    q, k = torch.randn(2, 1, 2, 5, 4, dtype=torch.float64)
    positions = torch.arange(5)
    for found, wanted in zip(
        both.rotate(q, k, positions, positions),
        other.rotate(q, k, positions, positions),
        strict=True,
    ):
        assert torch.equal(found, wanted)
    assert both.max_len is None


def test_the_other_encoding_limits_the_length_and_is_checked_with_the_stack():
    nested = "encoder.positional_encoding"
    relative = {"type": "relative_keys", "absolute": {"type": "learned", "max_len": 7}}
    encoder: Any = load_spec("small", overrides={nested: relative}).encoder
    encoding = encoder.positional_encoding.build(hidden_dim=8, num_heads=2)
    with pytest.raises(ValueError, match="knows 7 positions but the sequence has 8"):
        encoding.check_length(8)
    turned = {"type": "relative_keys", "absolute": {"type": "rotary"}}
    with pytest.raises(ValueError, match="'rotary' turns channels in pairs"):
        load_spec("small", overrides={nested: turned, "hidden_dim": 12})
