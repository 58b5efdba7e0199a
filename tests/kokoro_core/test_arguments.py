"""What cannot be an argument of the public functions is named, before anything is done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.test_api import tiny

Door = Callable[[Any], Any]
SPEC = tiny().spec
NO_PATHS: list[tuple[Any, str]] = [
    (None, "None"),
    (3, "3"),
    (b"m.safetensors", "b'm.safetensors'"),
    ([], "a `list`"),
    (torch.zeros(2), "a `Tensor`"),
]


@pytest.fixture(scope="module")
def model() -> KokoroModel:
    return tiny().eval()


@pytest.fixture
def saved(model: KokoroModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize(("value", "shown"), NO_PATHS, ids=[shown for _, shown in NO_PATHS])
@pytest.mark.parametrize(
    "door",
    ["load", "load_weights", "save", "check_savable", "save_pretrained", "from_pretrained"],
)
def test_what_is_no_path_is_named(model: KokoroModel, door: str, value: Any, shown: str) -> None:
    with pytest.raises(TypeError, match=r"^`\w+` must be a path, .*not ") as caught:
        getattr(model, door)(value)
    assert str(caught.value).endswith(f"not {shown}.")


@pytest.mark.parametrize("door", ["load", "load_weights", "save", "save_pretrained"])
def test_an_empty_path_does_not_mean_the_current_folder(
    model: KokoroModel, door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^`\w+` must not be empty; `\.` is the current folder"):
        getattr(model, door)("")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("door", ["load", "load_weights", "save", "save_pretrained"])
def test_a_path_with_a_nul_character_is_refused(model: KokoroModel, door: str) -> None:
    with pytest.raises(ValueError, match=r"^`\w+` holds a NUL character, .* 'a\\x00b\.safete"):
        getattr(model, door)("a\0b.safetensors")


@pytest.mark.parametrize("value", [None, 3, b"small", [], 0.5, torch.zeros(2)], ids=repr)
@pytest.mark.parametrize("door", [KokoroModel.from_spec, load_spec])
def test_what_is_no_source_of_a_spec_is_named(door: Door, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^`source` must be a named spec, a path, a mapping or a "):
        door(value)


@pytest.mark.parametrize("value", [3, "a=b", ["a=b"], [], ""], ids=repr)
def test_overrides_that_are_no_mapping_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^`overrides` must be a mapping from dotted paths"):
        KokoroModel.from_spec(SPEC, overrides=value)


@pytest.mark.parametrize("key", [3, None, ("encoder", "num_layers")], ids=repr)
def test_a_key_of_overrides_that_is_no_text_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match=r"^`overrides` must have texts as keys, such as "):
        load_spec(SPEC, overrides={key: 2})


@pytest.mark.parametrize("value", [3, "transformer", [], {}, ["transformer"]], ids=repr)
def test_plugins_that_are_none_are_refused(saved: Path, value: Any) -> None:
    doors: list[Callable[[], Any]] = [
        lambda: KokoroModel.from_spec(SPEC, plugins=value),
        lambda: load_spec("small", plugins=value),
        lambda: KokoroModel.load(saved, plugins=value),
    ]
    for door in doors:
        with pytest.raises(TypeError, match=r"^`plugins` must be what `registry\.discover` ret"):
            door()


@pytest.mark.parametrize("value", ["x", None, 1.5, float("nan"), True], ids=repr)
def test_a_limit_of_parameters_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^`max_parameters` must be a whole number, not "):
        load_spec(SPEC, max_parameters=value)


@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_of_parameters_below_one_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=rf"^`max_parameters` must be 1 or more, not {value}\."):
        load_spec(SPEC, max_parameters=value)


@pytest.mark.parametrize("value", ["5GB", 1.5, float("nan"), True], ids=repr)
def test_a_size_of_shards_that_is_no_number_is_refused(
    model: KokoroModel, tmp_path: Path, value: Any
) -> None:
    for save in (model.save, model.save_pretrained):
        with pytest.raises(TypeError, match=r"^`max_shard_bytes` must be a whole number, not "):
            save(tmp_path / "m.safetensors", max_shard_bytes=value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "gpu", "cudaa", "cpu:x", None, object], ids=repr)
def test_a_device_that_is_none_is_named(saved: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^`device` must be one such as 'cpu' or 'cuda:0', not "):
        KokoroModel.load(saved, device=value)


@pytest.mark.parametrize("value", ["mps", "xpu", "meta"])
def test_a_device_that_is_not_there_is_named(saved: Path, value: str) -> None:
    message = rf"^`device` must be one such as .*, not '{value}'; this machine has cpu\.$"
    with pytest.raises(ValueError, match=message):
        KokoroModel.load(saved, device=value)


@pytest.mark.parametrize("value", [3, "append", {"spec": "small"}, True], ids=repr)
def test_a_change_of_a_model_that_is_none_is_refused(saved: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^`adapt` must be an `Adapt`, not "):
        KokoroModel.load(saved, adapt=value)


@pytest.mark.parametrize("door", ["generate", "stream", "inference"])
def test_phonemes_that_are_none_are_refused(model: KokoroModel, door: str) -> None:
    with pytest.raises(TypeError, match=r"^`phoneme_indices` must be a tensor, not None\."):
        list(getattr(model, door)(None))


def test_a_training_batch_without_phonemes_or_mel_is_refused(model: KokoroModel) -> None:
    indices, mel = torch.tensor([[1, 2]]), torch.zeros(1, 3, model.spec.mel_dim)
    nothing: Any = None
    with pytest.raises(TypeError, match=r"^`phoneme_indices` must be a tensor, not None\."):
        model(nothing, mel, torch.tensor([[1, 2]]))
    with pytest.raises(TypeError, match=r"^`mel_specs` must be a tensor, not None\."):
        model(indices, nothing, torch.tensor([[1, 2]]))


def test_tensors_that_are_not_dense_are_refused(model: KokoroModel) -> None:
    with pytest.raises(TypeError, match=r"^`phoneme_indices` must be a dense tensor, .*sparse_coo"):
        model.generate(torch.tensor([[1, 2]]).to_sparse())


def test_a_folder_in_place_of_which_a_file_lies_is_named(
    model: KokoroModel, tmp_path: Path
) -> None:
    (tmp_path / "voice").write_text("no folder")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("voice", "link", "voice/inside"):
        with pytest.raises(CheckpointError, match=rf"{name}` .*cannot be a folder"):
            model.save_pretrained(tmp_path / name)
    assert (tmp_path / "voice").read_text() == "no folder"
