"""Steps of one group go past modules: they are the layers' own, and nobody is passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kokoro_core import assemble, load_spec
from kokoro_plugins.transformer import step_layer
from kokoro_plugins.transformer.layers import DecoderLayer

WIDTH, MELS, FRAMES = 16, 80, 300


def decoder(positions: str = "sinusoidal", norm: str = "pre") -> Any:
    torch.manual_seed(0)
    spec = load_spec(
        "small",
        overrides={
            "hidden_dim": WIDTH,
            "decoder.num_layers": 2,
            "decoder.ff_dim": 32,
            "decoder.norm": norm,
            "decoder.positional_encoding.type": positions,
        },
    )
    return assemble(spec).eval().decoder


def begun(made: Any, rows: int, dtype: torch.dtype = torch.float32) -> Any:
    memory = torch.randn(rows, FRAMES, WIDTH, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(rows, FRAMES, dtype=torch.bool)
    mask[1:, FRAMES // 2 :] = True
    return made.init_state(memory.to(dtype), mask, FRAMES)


def speak(made: Any, rows: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return what some steps make, of frames that are given."""
    state = begun(made, rows, dtype)
    generator = torch.Generator().manual_seed(2)
    fed = torch.randn(6, rows, 1, MELS, generator=generator).to(dtype)
    return torch.cat(
        [
            torch.cat((mel, stop.unsqueeze(2)), 2)
            for mel, stop in (made.step(each, state) for each in fed)
        ],
        1,
    )


def by_the_layers(made: Any, monkeypatch: pytest.MonkeyPatch, *args: Any) -> Tensor:
    """Return the same by `DecoderLayer.step`."""
    with monkeypatch.context() as patched:
        patched.setattr("kokoro_plugins.transformer.decoder.may_go_direct", lambda _: False)
        return speak(made, *args)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "alibi", "learned", "relative_keys"])
@pytest.mark.parametrize("rows", [1, 3])
@torch.no_grad()
def test_a_step_is_that_of_the_layers(
    rows: int, positions: str, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = decoder(positions, norm)
    expected = by_the_layers(made, monkeypatch, rows)
    torch.testing.assert_close(speak(made, rows), expected, atol=1e-5, rtol=1e-5)
    made = made.double()
    expected = by_the_layers(made, monkeypatch, rows, torch.float64)
    found = speak(made, rows, torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.fast_kernels
@torch.no_grad()
def test_one_group_is_made_past_the_layers_and_several_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []

    def noted(kind: Any) -> Callable[..., Tensor]:
        step = kind.step

        def step_and_note(*args: Any) -> Tensor:
            called.append(kind.__name__)
            result: Tensor = step(*args)
            return result

        return step_and_note

    for kind in (DecoderLayer, step_layer.StepLayer):
        monkeypatch.setattr(kind, "step", noted(kind))
    made = decoder()
    state = begun(made, 1)
    made.step(torch.zeros(1, 1, MELS), state)
    assert called == ["StepLayer"] * 2
    made.step(torch.zeros(1, 3, MELS), state)
    assert called[2:] == ["DecoderLayer"] * 2


def hook(layer: Any) -> None:
    layer.feed_forward.register_forward_hook(lambda _, __, result: 2 * result)


def hook_of_dropout(layer: Any) -> None:
    layer.dropout.register_forward_hook(lambda _, __, result: 2 * result)


def hook_of_norm(layer: Any) -> None:
    layer.cross_norm.register_forward_hook(lambda _, __, result: 2 * result)


def own_step(layer: Any) -> None:
    step = layer.step
    layer.step = lambda *args: step(*args).flip(-1)  # a norm follows, which would undo a factor


def own_attend(layer: Any) -> None:
    attend = layer.cross_attention.attend
    layer.cross_attention.attend = lambda *args: 2 * attend(*args)


def adapter(layer: Any) -> None:
    layer.self_attention.out = nn.Sequential(layer.self_attention.out, nn.Linear(WIDTH, WIDTH))


def other_block(layer: Any) -> None:
    layer.feed_forward = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())


def training(layer: Any) -> None:
    layer.dropout.train()
    layer.dropout.p = 1.0


@pytest.mark.parametrize(
    "change",
    [
        hook,
        hook_of_dropout,
        hook_of_norm,
        own_step,
        own_attend,
        adapter,
        other_block,
        training,
    ],
)
@torch.no_grad()
def test_what_somebody_put_into_a_layer_has_its_say_in_steps_too(
    change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, made = speak(decoder(), 1), decoder()
    change(made.layers[1])
    found = speak(made, 1)
    expected = by_the_layers(made, monkeypatch, 1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (found - before).abs().max() > 1e-3


@torch.no_grad()
def test_encodings_that_use_the_weights_keep_the_layers() -> None:
    made = decoder()
    assert step_layer.step_layers(list(made.layers), made.positional_encoding) is not None
    made.positional_encoding.uses_weights = True
    assert step_layer.step_layers(list(made.layers), made.positional_encoding) is None
