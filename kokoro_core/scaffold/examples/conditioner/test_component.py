"""What the component computes, and that a model speaks differently with it."""

from __future__ import annotations

from typing import Any

import torch

from kokoro_core import KokoroModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.conditioner.params import ExampleParams

STACK = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}
NAME = "example-plugin/example"


def test_there_is_a_vector_for_each_speaker_of_the_spec() -> None:
    sizes = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16, num_speakers=3)
    conditioner = ExampleParams(dim=4).build(sizes)
    vectors = conditioner(speaker=torch.tensor([0, 1, 2, 0]))
    assert vectors.shape == (4, 4)
    assert torch.equal(vectors[0], vectors[3])
    assert len(vectors.unique(dim=0)) == 3


def test_two_speakers_speak_differently() -> None:
    torch.manual_seed(0)
    spec: dict[str, Any] = {
        "vocab_size": 11,
        "mel_dim": 6,
        "hidden_dim": 16,
        "speakers": ["anna", "ben"],
        "conditioners": {"voice": {"type": NAME, "add": True}},
        "encoder": STACK,
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": STACK,
    }
    model = KokoroModel.from_spec(spec).eval()
    phonemes, durations = torch.tensor([[3, 4, 5]]), torch.tensor([[2, 3, 1]])
    mel = torch.randn(1, 6, 6)
    anna, ben = (model(phonemes, mel, durations, speaker=torch.tensor([each])) for each in (0, 1))
    assert not torch.allclose(anna.mel, ben.mel)
