"""Weights that are not the model's: refused by name, before one is used."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel, assemble, load_spec
from kokoro_core.checkpoints.layout import CheckpointMismatch, differences
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.checkpoints.tensors_of import layout_of
from kokoro_core.checkpoints.values import check_finite
from kokoro_core.contracts.checkpoints import TensorInfo
from kokoro_core.errors import CheckpointError
from registry import installed_plugins
from tests.kokoro_core.test_api import DURATIONS, INDICES, tiny

Layout = dict[str, TensorInfo]
LAST = "decoder.stop_out.bias"


@cache
def layout(name: str) -> Layout:
    return layout_of(assemble(load_spec(name), device="meta"))


def missing(found: Layout, name: str) -> str:
    del found[name]
    return f"`{name}` is missing"


def extra(found: Layout, name: str) -> str:
    found[f"{name}.extra"] = found[name]
    return f"`{name}.extra` is not in the model"


def renamed(found: Layout, name: str) -> str:
    found[f"{name}_"] = found.pop(name)
    return f"`{name}` is missing"


def transposed(found: Layout, name: str) -> str | None:
    info = found[name]
    turned = info.shape[::-1]
    if turned == info.shape:  # a vector, or square: the same layout
        return None
    found[name] = TensorInfo(info.dtype, turned)
    return f"`{name}` is {turned}, not {info.shape}"


def of_another_size(found: Layout, name: str) -> str:
    info = found[name]
    larger = (*info.shape[:-1], info.shape[-1] + 1)
    found[name] = TensorInfo(info.dtype, larger)
    return f"`{name}` is {larger}, not {info.shape}"


def of_another_precision(found: Layout, name: str) -> str:
    found[name] = TensorInfo("float16", found[name].shape)
    return f"`{name}` is float16 and others are float32; a model has one floating type"


def of_whole_numbers(found: Layout, name: str) -> str:
    found[name] = TensorInfo("int64", found[name].shape)
    return f"`{name}` is int64, not float32"


@pytest.mark.parametrize(
    "change",
    [
        missing,
        extra,
        renamed,
        transposed,
        of_another_size,
        of_another_precision,
        of_whole_numbers,
    ],
)
@pytest.mark.parametrize("spec", ["small", "base", "default"])
def test_each_tensor_of_a_named_spec_is_told_from_any_other(
    spec: str, change: Callable[[Layout, str], str | None]
) -> None:
    expected = layout(spec)
    assert differences(expected, expected) == []
    told = 0
    for name in expected:
        found = dict(expected)
        line = change(found, name)
        if line is not None:
            assert line in differences(expected, found)
            told += 1
    same_when_turned = [each for each in expected.values() if each.shape == each.shape[::-1]]
    assert told == len(expected) - (len(same_when_turned) if change is transposed else 0)


def test_every_difference_is_listed() -> None:
    expected = layout("small")
    found = {name: info for name, info in expected.items() if not name.startswith("encoder.")}
    found["zebra"] = TensorInfo("float32", (1,))
    lines = differences(expected, found)
    assert len(lines) == len(expected) - len(found) + 2
    error = CheckpointMismatch("it does not fit", lines)
    assert error.differences == tuple(lines)
    assert str(error).endswith(f"; and {len(lines) - 12} more.")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_a_model_may_be_stored_in_another_precision_as_a_whole(dtype: str) -> None:
    expected = layout("small")
    found = {name: TensorInfo(dtype, info.shape) for name, info in expected.items()}
    assert differences(expected, found) == []


def test_whole_numbers_keep_their_type() -> None:
    expected = {"steps": TensorInfo("int64", ()), "w": TensorInfo("float32", (1,))}
    found = {**expected, "steps": TensorInfo("int32", ())}
    assert differences(expected, found) == ["`steps` is int32, not int64"]


# On files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tiny().save(path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    checkpointer = checkpointer_for(path, installed_plugins())
    tensors, metadata = checkpointer.load(path), checkpointer.read_metadata(path)
    change(tensors)
    checkpointer.save(path, tensors, metadata)


def test_nothing_is_given_to_a_model_of_what_does_not_fit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Any] = []
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: used.append(1))
    rewrite(path, lambda tensors: tensors.pop("decoder.stop_out.bias"))
    with pytest.raises(CheckpointMismatch, match=r"`decoder\.stop_out\.bias` is missing\.$"):
        KokoroModel.load(path)
    assert used == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("spec", ["small", "base", "default"])
def test_each_tensor_of_a_named_spec_is_refused_with_a_number_that_is_none(
    spec: str, value: float
) -> None:
    what = "1 NaN" if math.isnan(value) else "1 infinite numbers"
    for name, info in layout(spec).items():
        tensor = torch.zeros(info.shape)
        tensor.view(-1)[-1] = value
        with pytest.raises(CheckpointError) as caught:
            check_finite("it is refused", {"good": torch.ones(1), name: tensor}, {"good", name})
        assert f"it is refused: `{name}` has {what};" in str(caught.value)


def test_an_infinity_is_refused_in_a_parameter_and_let_be_in_a_buffer() -> None:
    mask = {"mask": torch.tensor([0.0, -float("inf")])}
    check_finite("it is refused", mask, set())
    with pytest.raises(CheckpointError, match="`mask` has 1 infinite numbers"):
        check_finite("it is refused", mask, {"mask"})
    with pytest.raises(CheckpointError, match="`mask` has 1 NaN"):
        check_finite("it is refused", {"mask": torch.tensor([float("nan")])}, set())


def test_a_file_with_a_number_that_is_none_is_refused_whatever_its_hash(path: Path) -> None:
    def poison(tensors: dict[str, torch.Tensor]) -> None:
        tensors["encoder.embedding.weight"][3, 5] = float("nan")
        tensors["decoder.stop_out.bias"][0] = float("inf")

    rewrite(path, poison)
    with pytest.raises(CheckpointError) as caught:
        KokoroModel.load(path)
    assert f"`{path}` is refused: " in str(caught.value)
    assert "`encoder.embedding.weight` has 1 NaN" in str(caught.value)
    assert "`decoder.stop_out.bias` has 1 infinite numbers" in str(caught.value)


def test_a_model_with_a_number_that_is_none_is_not_saved(path: Path) -> None:
    before = path.read_bytes()
    model = tiny()
    with torch.no_grad():
        model.acoustic.get_parameter("decoder.stop_out.bias").fill_(float("nan"))
    with pytest.raises(CheckpointError, match=r"was not written: `decoder\.stop_out\.bias` has"):
        model.save(path)
    assert path.read_bytes() == before


def test_a_sum_that_overflows_is_no_number_that_is_none(path: Path) -> None:
    model = tiny().half()
    with torch.no_grad():
        model.acoustic.get_parameter("decoder.mel_out.weight").fill_(60_000.0)
    model.save(path)
    loaded = KokoroModel.load(path).acoustic.get_parameter("decoder.mel_out.weight")
    assert loaded.eq(60_000.0).all()


def test_a_model_in_memory_is_untouched_by_a_load_that_fails(path: Path) -> None:
    model = KokoroModel.load(path)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    speech = model.generate(INDICES, durations=DURATIONS).mel
    content = bytearray(path.read_bytes())
    content[-1] ^= 64
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        KokoroModel.load(path)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert torch.equal(model.generate(INDICES, durations=DURATIONS).mel, speech)


def test_a_file_of_the_first_version_loads_with_a_warning_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    from safetensors.torch import save_file

    from kokoro_core.spec.views.resolve import resolve
    from kokoro_plugins.safetensors.envelope import METADATA_KEY

    model, path = tiny(), tmp_path / "old.safetensors"
    metadata = {"format_version": 1, **resolve(model.spec, model.plugins)}
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"))
    save_file(model.acoustic.state_dict(), path, {METADATA_KEY: text})
    with pytest.warns(UserWarning, match=r"states no content hash.*`kokoro-core checkpoint conv"):
        loaded = KokoroModel.load(path)
    for name, each in model.acoustic.state_dict().items():
        assert torch.equal(loaded.acoustic.state_dict()[name], each)


# Into a model that is there


def state_of(model: KokoroModel) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in model.state_dict().items()}


def test_weights_go_into_a_model_that_is_there(path: Path) -> None:
    model = KokoroModel.from_spec(tiny().spec)
    parameters = {name: id(each) for name, each in model.named_parameters()}
    model.train().load_weights(path)
    assert model.training
    assert parameters == {name: id(each) for name, each in model.named_parameters()}
    stored = checkpointer_for(path, installed_plugins()).load(path)
    assert all(
        torch.equal(each, stored[name]) for name, each in model.acoustic.state_dict().items()
    )


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "is damaged"),
        (lambda path: rewrite(path, lambda all: all.popitem()), "is missing"),
        (lambda path: rewrite(path, lambda all: all.update(x=torch.ones(1))), "`x` is not in the"),
        (
            lambda path: rewrite(path, lambda all: all[LAST].fill_(float("nan"))),
            f"is refused: `{LAST}` has 1 NaN",
        ),
        (lambda path: tiny(**{"encoder.num_heads": 4}).save(path), "`encoder.num_heads` is 4 in"),
        (lambda path: tiny(**{"decoder.num_layers": 3}).save(path), "`decoder.num_layers` is 3 in"),
        (lambda path: tiny(**{"encoder.dropout": 0.3}).save(path), "`encoder.dropout` is 0.3 in"),
        (lambda path: tiny().bfloat16().save(path), "stored in bfloat16 and the model is in float"),
        (lambda path: path.unlink(), "does not exist"),
    ],
    ids=[
        *("damaged", "missing", "extra", "NaN", "heads", "layers", "dropout", "precision"),
        "no file",
    ],
)
def test_a_model_is_as_it_was_when_weights_do_not_fit(
    path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    model = KokoroModel.from_spec(tiny().spec)
    before = state_of(model)
    spoil(path)
    with pytest.raises(CheckpointError) as caught:
        model.load_weights(path)
    assert message in str(caught.value)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_settings_around_the_model_may_differ(path: Path) -> None:
    spec = tiny(name="other", gradient_checkpointing=None, **{"loss.mel_mse": 1.0}).spec
    KokoroModel.from_spec(spec).load_weights(path)
