"""The encoder keeps the promises of its slot, and reads from both ends."""

from __future__ import annotations

import pytest
import torch
from acme_recurrent.plugin import RecurrentParams

from kokoro_core import load_spec
from kokoro_core.params.sizes import Sizes
from kokoro_core.testing import conformance_test

test_recurrent = conformance_test(RecurrentParams)

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=8)


def test_the_first_phoneme_hears_of_the_last_and_the_last_of_the_first() -> None:
    torch.manual_seed(0)
    encoder = RecurrentParams(num_layers=1, dropout=0.0).build(SIZES)
    mask = torch.zeros(1, 4, dtype=torch.bool)
    plain, end, start = (
        encoder(torch.tensor([row]), mask)[0] for row in ([1, 2, 3, 4], [1, 2, 3, 9], [9, 2, 3, 4])
    )
    assert not torch.equal(plain[0], end[0])
    assert not torch.equal(plain[3], start[3])


def test_an_odd_width_is_a_problem_of_the_spec() -> None:
    with pytest.raises(ValueError, match="so it must be even, not 65"):
        load_spec("acme-recurrent", overrides={"hidden_dim": 65, "decoder.num_heads": 5})
