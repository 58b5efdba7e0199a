"""Speaking in another precision than the model's: what is copied, when, and what stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.kernels import cpu
from kokoro_core.kernels.cpu import Processor
from kokoro_core.kernels.float16_linear import Float16Linear
from kokoro_core.kernels.int8_linear import Int8Linear

SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 4,
    "hidden_dim": 16,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "gaussian"},
    "decoder": {"type": "transformer", "num_layers": 2, "num_heads": 2, "ff_dim": 16},
}
PARALLEL = {"type": "parallel_transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}
INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
DURATIONS = torch.tensor([[2, 3, 3, 2], [4, 1, 0, 0]])


def make(**slots: Any) -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec({**SPEC, **slots}).eval()


def speak(model: KokoroModel, dtype: torch.dtype | None = None) -> Tensor:
    return model.generate(INDICES, durations=DURATIONS, stop_threshold=1.0, dtype=dtype).mel


@pytest.mark.parametrize(
    "slots", [{}, {"decoder": PARALLEL}, {"postnet": {"type": "conv"}}], ids=str
)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.bfloat16, 0.1), (torch.float64, 1e-5)], ids=str
)
def test_another_precision_gives_nearly_the_same_in_the_models_own_type(
    slots: dict[str, Any], dtype: torch.dtype, tolerance: float
) -> None:
    model = make(**slots)
    expected = speak(model)
    found = speak(model, dtype)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
    assert not torch.equal(found, expected)
    streamed = list(model.stream(INDICES, durations=DURATIONS, stop_threshold=1.0, dtype=dtype))
    torch.testing.assert_close(torch.cat(streamed, 1), found, atol=1e-6, rtol=0)


WIDE = {"num_layers": 2, "num_heads": 4, "ff_dim": 1024}
DECODERS: dict[str, dict[str, Any]] = {
    "transformer": {"type": "transformer", **WIDE},
    "two frames a step": {"type": "transformer", "reduction_factor": 2, **WIDE},
    "rotary": {"type": "transformer", "positional_encoding": {"type": "rotary"}, **WIDE},
    "parallel": {"type": "parallel_transformer", **WIDE},
}


KINDS = {torch.int8: (Int8Linear, 0.05), torch.float16: (Float16Linear, 0.005)}


@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS.keys())
def test_weights_of_fewer_bits_speak_nearly_as_the_model_does(
    decoder: dict[str, Any], dtype: torch.dtype
) -> None:
    kind, tolerance = KINDS[dtype]
    model = make(hidden_dim=256, encoder={**SPEC["encoder"], "num_heads": 4}, decoder=decoder)
    expected = speak(model)
    found = speak(model, dtype)
    assert found.dtype is torch.float32
    assert 0 < (found - expected).abs().max() < tolerance * expected.abs().max()
    copied = decoder_in(model, dtype)
    assert any(isinstance(each, kind) for each in copied.modules())
    assert {each.dtype for each in copied.parameters()} == {torch.float32}
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    assert torch.equal(speak(model, dtype), found)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
def test_one_row_with_weights_of_fewer_bits_says_what_it_says_among_others(
    dtype: torch.dtype,
) -> None:
    model = make(hidden_dim=256, decoder=DECODERS["transformer"])
    both = speak(model, dtype)
    alone = model.generate(
        INDICES[1:, :2], durations=DURATIONS[1:, :2], stop_threshold=1.0, dtype=dtype
    ).mel
    torch.testing.assert_close(both[1:, : alone.shape[1]], alone, atol=0.01, rtol=0.01)


@pytest.mark.parametrize("dtype", [torch.int8, torch.float16], ids=str)
def test_a_model_of_another_type_can_speak_with_weights_of_fewer_bits(dtype: torch.dtype) -> None:
    model = make(hidden_dim=256, decoder=DECODERS["transformer"])
    expected = speak(model, dtype)
    found = speak(model.bfloat16(), dtype)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)


def test_where_the_processor_calculates_in_float16_all_of_the_decoder_is_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: Processor("neon", float16_arithmetic=True))
    model = make()
    expected = speak(model)
    torch.testing.assert_close(speak(model, torch.float16), expected, atol=0.02, rtol=0)
    copied = decoder_in(model, torch.float16)
    assert {each.dtype for each in copied.parameters()} == {torch.float16}


def test_speaking_in_float64_is_what_the_model_in_float64_speaks() -> None:
    twin = make(encoder={**SPEC["encoder"], "num_layers": 1}).double()
    expected = speak(twin)
    found = speak(make(), torch.float64).double()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_callers_model_stays_as_it_is_and_so_do_durations() -> None:
    model = make()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    usual = model.generate(INDICES)
    other = model.generate(INDICES, dtype=torch.bfloat16)
    assert usual.durations is not None
    assert other.durations is not None
    assert torch.equal(other.durations, usual.durations)
    assert model.state_dict().keys() == before.keys()
    for name, tensor in model.state_dict().items():
        assert tensor.dtype is torch.float32
        assert torch.equal(tensor, before[name])
    assert all(each.requires_grad for each in model.parameters())


def decoder_in(model: KokoroModel, dtype: torch.dtype | None) -> Any:
    return model._copies.get(model.acoustic.decoder, dtype)


def test_a_copy_is_made_once_and_anew_when_the_weights_change() -> None:
    model = make()
    assert decoder_in(model, None) is model.acoustic.decoder
    assert decoder_in(model, torch.float32) is model.acoustic.decoder
    first = decoder_in(model, torch.bfloat16)
    assert decoder_in(model, torch.bfloat16) is first
    assert decoder_in(model, torch.float64) is not first
    model.acoustic.decoder.get_parameter("mel_out.bias").data += 1
    expected = speak(model)
    torch.testing.assert_close(speak(model, torch.bfloat16), expected, atol=0.1, rtol=0)
    assert decoder_in(model, torch.bfloat16) is not first


def test_a_copy_of_a_model_has_copies_of_its_own() -> None:
    model = make()
    first = decoder_in(model, torch.bfloat16)
    twin = copy.deepcopy(model)
    assert decoder_in(twin, torch.bfloat16) is not first
    model._copies.clear()
    assert decoder_in(model, torch.bfloat16) is not first


def test_gradients_and_what_watches_the_decoder_are_not_copied() -> None:
    model = make()
    decoder: Any = model.acoustic.decoder
    model(INDICES, torch.randn(2, 10, 4), DURATIONS).loss.backward()
    calls: list[str] = []
    step = decoder.step

    def watched(*args: Any) -> Any:
        calls.append("step")
        return step(*args)

    decoder.step = watched
    speak(model, torch.bfloat16)
    assert calls == []
    speak(model)
    assert calls == ["step"] * 10
    assert decoder_in(model, torch.bfloat16).mel_out.weight.grad is None
    assert decoder.mel_out.weight.grad is not None


@pytest.mark.parametrize("dtype", [torch.int16, torch.complex64], ids=str)
def test_a_type_that_no_decoder_computes_in_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=f"`dtype` must be one of .* or None, not `{dtype}`"):
        speak(make(), dtype)


def test_packed_weights_are_those_of_the_model_as_it_is_now() -> None:
    model, twin = make(), make()
    speak(model)
    with torch.no_grad():
        for parameter in model.acoustic.decoder.parameters():
            parameter.data.mul_(0.5)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(speak(model), speak(twin))
