"""Which layers a step of the decoder runs: laid out anew, or as they are where they must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core import KokoroModel

SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 4,
    "hidden_dim": 256,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 256},
}
INDICES = torch.tensor([[3, 4, 5, 6]])
DURATIONS = torch.tensor([[1, 2, 3, 2]])
LAYERS = {
    "query": "layers.0.self_attention.query",
    "key_value": "layers.0.self_attention.key_value",
    "out": "layers.0.cross_attention.out",
    "feed_forward": "layers.0.feed_forward.0",
    "frame_in": "frame_in",
    "mel_out": "mel_out",
}


def make() -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec(SPEC).eval()


def speak(model: KokoroModel, dtype: torch.dtype | None = None) -> Tensor:
    return model.generate(INDICES, durations=DURATIONS, stop_threshold=1.0, dtype=dtype).mel


class Doubled(nn.Module):
    """An adapter in the place of a layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        doubled: Tensor = 2 * self.layer(x)
        return doubled


class DoubledWeights(Doubled):
    """An adapter that reads the weights of what it stands for."""

    layer: nn.Linear

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, 2 * self.layer.weight, 2 * self.layer.bias)


class DoubledLinear(nn.Linear):
    """A linear layer that does more than its weights say."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def twice_the_weights(model: KokoroModel, name: str) -> None:
    with torch.no_grad():
        for each in model.acoustic.decoder.get_submodule(name).parameters():
            each.mul_(2)


def put(model: KokoroModel, name: str, make_other: Callable[[nn.Linear], nn.Module]) -> None:
    layer = model.acoustic.decoder.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    model.acoustic.decoder.set_submodule(name, make_other(layer))


def doubled_linear(layer: nn.Linear) -> DoubledLinear:
    other = DoubledLinear(layer.in_features, layer.out_features)
    other.load_state_dict(layer.state_dict())
    return other


def hook(layer: nn.Linear) -> nn.Linear:
    layer.register_forward_hook(lambda _, given, result: 2 * result)
    return layer


WAYS: dict[str, Callable[[nn.Linear], nn.Module]] = {
    "adapter": Doubled,
    "adapter of weights": DoubledWeights,
    "subclass": doubled_linear,
    "hook": hook,
}


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(None, 1e-4), (torch.bfloat16, 0.06), (torch.int8, 0.06)], ids=str
)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("name", LAYERS.values(), ids=LAYERS.keys())
def test_a_layer_that_does_more_than_its_weights_say_does_it_in_steps_too(
    name: str, way: Callable[[nn.Linear], nn.Module], dtype: torch.dtype | None, tolerance: float
) -> None:
    model, twin = make(), make()
    before = speak(model, dtype)  # what was kept of the layers must not be used any more
    put(model, name, way)
    twice_the_weights(twin, name)
    found, expected = speak(model, dtype), speak(twin, dtype)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
    assert (found - before).abs().max() > 2 * tolerance


@pytest.mark.parametrize("spoken", [False, True], ids=["first", "after generate"])
def test_who_steps_outside_of_inference_mode_may_do_so_after_generate_as_before(
    spoken: bool,
) -> None:
    model = make()
    decoder: Any = model.acoustic.decoder
    if spoken:
        speak(model)
    with torch.no_grad():
        state = decoder.init_state(torch.randn(1, 6, 256), torch.zeros(1, 6, dtype=torch.bool), 6)
    mel, _ = decoder.step(torch.zeros(1, 1, 4), state)
    mel.sum().backward()
    assert decoder.norm.weight.grad is not None
