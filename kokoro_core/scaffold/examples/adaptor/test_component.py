"""What the component computes, and that a model learns with it."""

from __future__ import annotations

import torch

from kokoro_core import KokoroModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.adaptor.params import ExampleParams

STACK = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}


def test_the_loss_is_the_mean_square_over_what_is_no_padding() -> None:
    sizes = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)
    adaptor = ExampleParams(channels=8).build(sizes)
    x, mask = torch.randn(1, 3, 16), torch.tensor([[False, False, True]])
    output = adaptor(x, mask, target=torch.tensor([[1.0, 2.0, 9.0]]))
    first, second, padding = output.prediction[0].tolist()
    expected = ((first - 1) ** 2 + (second - 2) ** 2) / 2
    assert abs(output.losses["prediction"].item() - expected) < 1e-5
    assert padding == 0


def test_a_model_learns_and_speaks_with_a_curve_of_that_name() -> None:
    torch.manual_seed(0)
    spec = {"vocab_size": 11, "mel_dim": 6, "hidden_dim": 16, "encoder": STACK, "decoder": STACK}
    parts = {"duration_predictor": {"type": "mlp"}, "regulator": {"type": "repeat"}}
    adaptors = {"token_adaptors": {"curve": {"type": "example-plugin/example"}}}
    model = KokoroModel.from_spec({**spec, **parts, **adaptors})
    phonemes, durations = torch.tensor([[3, 4, 5]]), torch.tensor([[2, 3, 1]])
    output = model(phonemes, torch.randn(1, 6, 6), durations, curve=torch.randn(1, 3))
    output.loss.backward()
    assert output.losses["curve.prediction"].item() > 0
    assert model.eval().inference(phonemes, max_mel_len=5).shape[2] == 6
