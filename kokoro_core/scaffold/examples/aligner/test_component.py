"""What the component computes, and that a model learns with it."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.scaffold.examples.aligner.aligner import best_path

STACK = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}


def test_no_other_path_costs_less() -> None:
    costs = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))

    def cost_of(durations: tuple[int, ...]) -> float:
        phoneme_of = torch.arange(3).repeat_interleave(torch.tensor(durations))
        return float(costs[phoneme_of, torch.arange(6)].sum())

    every = [each for each in product(range(1, 5), repeat=3) if sum(each) == 6]
    assert tuple(best_path(costs).tolist()) == min(every, key=cost_of)


def test_more_phonemes_than_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 3 phonemes and 2 frames; leave"):
        best_path(torch.zeros(3, 2))


def test_a_model_learns_without_durations() -> None:
    torch.manual_seed(0)
    spec = {"vocab_size": 11, "mel_dim": 6, "hidden_dim": 16, "encoder": STACK, "decoder": STACK}
    parts = {"duration_predictor": {"type": "mlp"}, "regulator": {"type": "repeat"}}
    aligner = {"aligner": {"type": "example-plugin/example"}}
    model = KokoroModel.from_spec({**spec, **parts, **aligner})
    output = model(torch.tensor([[3, 4, 5]]), torch.randn(1, 6, 6))
    output.loss.backward()
    assert output.losses["aligner.distance"].item() > 0
