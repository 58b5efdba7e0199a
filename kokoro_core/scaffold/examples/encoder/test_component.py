"""What the component computes."""

from __future__ import annotations

import torch

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.encoder.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)


def test_a_phoneme_hears_of_its_neighbours_and_of_no_others() -> None:
    torch.manual_seed(0)
    encoder = ExampleParams(num_layers=1, kernel_size=3).build(SIZES).eval()
    padding_mask = torch.zeros(1, 5, dtype=torch.bool)
    first, second = (
        encoder(torch.tensor([[1, 2, 3, 4, last]]), padding_mask)[0] for last in (5, 6)
    )
    assert torch.equal(first[:3], second[:3])
    assert not torch.equal(first[3], second[3])


def test_a_window_without_a_middle_is_a_problem() -> None:
    [(field, message)] = ExampleParams(kernel_size=4).cross_check(SIZES)
    assert (field, message) == ("kernel_size", "4 is even; take 5")
