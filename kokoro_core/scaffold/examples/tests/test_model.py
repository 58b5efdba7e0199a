"""The component takes part in a model."""

from __future__ import annotations

from typing import Any

import torch

from kokoro_core import KokoroModel

STACK = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}
SPEC: dict[str, Any] = {
    "vocab_size": 11,
    "mel_dim": 6,
    "hidden_dim": 16,
    "encoder": STACK,
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": STACK,
}
NAME = "example-plugin/example"
OWN: dict[str, Any] = {"encoder": {"type": NAME}}


def test_a_model_with_the_component_learns_and_speaks() -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec({**SPEC, **OWN})
    phonemes, durations = torch.tensor([[3, 4, 5]]), torch.tensor([[2, 3, 1]])
    output = model(phonemes, torch.randn(1, 6, 6), durations)
    output.loss.backward()
    assert bool(output.loss.isfinite())
    model.eval()
    assert model.inference(phonemes, max_mel_len=5).shape[2] == 6
