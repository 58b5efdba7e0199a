"""The plugin is installed, and its component takes part in a model."""

from __future__ import annotations

from typing import Any

import torch

from kokoro_core import KokoroModel
from registry import installed_plugins

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
PLUGIN = "acme-decoder"
NAME = "acme-decoder/acme_decoder"
OWN: dict[str, Any] = {"decoder": {"type": NAME}}


def test_the_plugin_is_loaded_and_has_no_flag() -> None:
    [record] = [each for each in installed_plugins().records if each.name == PLUGIN]
    assert (record.status, record.cause, record.flags) == ("loaded", None, ())


def test_a_model_with_the_component_learns_and_speaks() -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec({**SPEC, **OWN})
    phonemes, durations = torch.tensor([[3, 4, 5]]), torch.tensor([[2, 3, 1]])
    output = model(phonemes, torch.randn(1, 6, 6), durations)
    output.loss.backward()
    assert bool(output.loss.isfinite())
    model.eval()
    assert model.inference(phonemes, max_mel_len=5).shape[2] == 6
