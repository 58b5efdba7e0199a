"""What the component computes."""

from __future__ import annotations

import torch
from torch import nn

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.postnet.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)


def test_it_adds_a_correction_that_sees_as_far_as_it_says() -> None:
    torch.manual_seed(0)
    postnet = ExampleParams(channels=8, kernel_size=3).build(SIZES)
    mel, mask = torch.randn(1, 7, 6), torch.zeros(1, 7, dtype=torch.bool)
    other = mel.clone()
    other[0, 6] += 1
    changed = (postnet(mel, mask) != postnet(other, mask)).any(2)
    assert changed[0].nonzero().flatten().tolist() == [4, 5, 6]
    assert postnet.context == 2
    for parameter in postnet.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(postnet(mel, mask), mel)
