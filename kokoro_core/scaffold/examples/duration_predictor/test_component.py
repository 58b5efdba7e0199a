"""What the component computes."""

from __future__ import annotations

import math

import torch
from torch import nn

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.duration_predictor.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=4)


def test_frames_are_what_the_logarithm_says() -> None:
    predictor = ExampleParams(channels=8).build(SIZES).eval()
    for parameter in predictor.parameters():
        nn.init.zeros_(parameter)
    *_, bias = predictor.parameters()
    nn.init.constant_(bias, math.log(7 + 1))
    padding_mask = torch.tensor([[False, False, True]])
    frames = predictor.frames(torch.randn(1, 3, 4), padding_mask)
    torch.testing.assert_close(frames, torch.tensor([[7.0, 7.0, 0.0]]))
