"""From a model to a file and back, strictly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel, SpecError
from kokoro_core.errors import CheckpointError
from kokoro_core.model.assembly import assemble
from registry import installed_plugins
from tests.kokoro_core.test_api import DURATIONS, INDICES, tiny


@pytest.fixture
def saved(tmp_path: Path) -> tuple[KokoroModel, Path]:
    model = tiny(postnet={"type": "conv", "channels": 8}).eval()
    path = tmp_path / "model.safetensors"
    model.save(path)
    return model, path


def test_a_model_comes_back_from_the_file_alone(saved: tuple[KokoroModel, Path]) -> None:
    model, path = saved
    loaded = KokoroModel.load(path)
    assert loaded.spec == model.spec
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    expected = model.generate(INDICES, durations=DURATIONS).mel
    assert torch.equal(loaded.generate(INDICES, durations=DURATIONS).mel, expected)


def test_equal_models_are_equal_bytes(saved: tuple[KokoroModel, Path], tmp_path: Path) -> None:
    _, path = saved
    again = tmp_path / "again.safetensors"
    KokoroModel.load(path).save(again)
    assert again.read_bytes() == path.read_bytes()


def test_the_file_says_which_components_made_it(saved: tuple[KokoroModel, Path]) -> None:
    _, path = saved
    from kokoro_core.checkpoints.store import checkpointer_for

    metadata = checkpointer_for(path, installed_plugins()).read_metadata(path)
    assert metadata["format_version"] == 1
    assert metadata["spec"]["encoder"]["type"] == "transformer/transformer"
    assert metadata["spec"]["decoder"]["hidden_dim"] == 16
    names = {each["name"] for each in metadata["components"]}
    assert {"transformer/mlp", "tacotron/conv"} <= names


def test_a_loaded_model_can_be_trained(saved: tuple[KokoroModel, Path]) -> None:
    loaded = KokoroModel.load(saved[1]).train()
    optimizer = torch.optim.AdamW(loaded.parameters(), lr=1e-2)
    mel = torch.randn(2, 5, 80)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        output = loaded(INDICES, mel, DURATIONS)
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < losses[0] * 0.8


def test_a_model_whose_weights_follow_is_not_initialised() -> None:
    spec = tiny().spec
    before = torch.get_rng_state()
    model = assemble(spec, initialise=False)
    assert torch.equal(torch.get_rng_state(), before)
    fresh = assemble(spec)
    expected = dict(fresh.named_buffers())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, expected[name]), name


def test_the_weights_of_a_loaded_model_are_those_of_the_file_and_exist_once(
    saved: tuple[KokoroModel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kokoro_plugins.safetensors.reading import SafetensorsFile

    read = {}
    original = SafetensorsFile.reading

    @contextmanager
    def remember(
        self: SafetensorsFile, *args: Any, **kwargs: Any
    ) -> Iterator[dict[str, torch.Tensor]]:
        with original(self, *args, **kwargs) as tensors:
            read.update(tensors)
            yield tensors

    monkeypatch.setattr(SafetensorsFile, "reading", remember)
    loaded = KokoroModel.load(saved[1])
    state = loaded.acoustic.state_dict()
    assert all(state[name].data_ptr() == read[name].data_ptr() for name in state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tensors: tensors.pop("encoder.embedding.weight"),
            "`encoder.embedding.weight` is missing",
        ),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "`extra` is not in the model"),
        (
            lambda tensors: tensors.update({"decoder.stop_out.bias": torch.zeros(2)}),
            r"`decoder.stop_out.bias` is \(2,\), not \(1,\)",
        ),
    ],
)
def test_a_file_that_does_not_fit_its_own_spec_is_refused(
    saved: tuple[KokoroModel, Path], change: object, message: str
) -> None:
    from kokoro_core.checkpoints.store import checkpointer_for

    _, path = saved
    checkpointer = checkpointer_for(path, installed_plugins())
    tensors = load_file(path)
    change(tensors)  # type: ignore[operator]
    checkpointer.save(path, tensors, checkpointer.read_metadata(path))
    with pytest.raises(CheckpointError, match=message):
        KokoroModel.load(path)


def test_a_checkpoint_of_another_format_is_refused(saved: tuple[KokoroModel, Path]) -> None:
    from kokoro_core.checkpoints.store import checkpointer_for

    _, path = saved
    checkpointer = checkpointer_for(path, installed_plugins())
    metadata = {**checkpointer.read_metadata(path), "format_version": 99}
    checkpointer.save(path, load_file(path), metadata)
    with pytest.raises(CheckpointError, match="has checkpoint format 99; this version reads 1"):
        KokoroModel.load(path)


def test_a_suffix_that_no_checkpointer_handles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"no checkpointer handles; use one of \.safetensors, "
    ):
        tiny().save(tmp_path / "model.pt")


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="absent"):
        KokoroModel.load(tmp_path / "absent.safetensors")


def rewrite(path: Path, **changes: object) -> None:
    """Write a checkpoint again with other metadata."""
    from kokoro_core.checkpoints.store import checkpointer_for

    checkpointer = checkpointer_for(path, installed_plugins())
    metadata = {**checkpointer.read_metadata(path), **changes}
    checkpointer.save(path, load_file(path), metadata)


@pytest.mark.parametrize("spec", ["voice", "/etc/passwd", [1], None])
def test_the_spec_inside_is_a_mapping_and_never_the_name_of_another_file(
    saved: tuple[KokoroModel, Path], spec: object
) -> None:
    rewrite(saved[1], spec=spec)
    with pytest.raises(CheckpointError, match="must hold its spec as a mapping, not"):
        KokoroModel.load(saved[1])


def test_true_is_no_format_version(saved: tuple[KokoroModel, Path]) -> None:
    rewrite(saved[1], format_version=True)
    with pytest.raises(CheckpointError, match="has checkpoint format True"):
        KokoroModel.load(saved[1])


def test_a_problem_of_the_spec_inside_names_the_file(saved: tuple[KokoroModel, Path]) -> None:
    rewrite(saved[1], spec={"encoder": {"type": "absent"}})
    with pytest.raises(SpecError, match=f"{saved[1]}"):
        KokoroModel.load(saved[1])


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (torch.int64, r"`decoder.stop_out.bias` is int64, not float32"),
        (
            torch.float64,
            "`decoder.stop_out.bias` is float64 and others are float32; a model has one",
        ),
    ],
)
def test_tensors_of_another_type_are_refused(
    saved: tuple[KokoroModel, Path], dtype: torch.dtype, message: str
) -> None:
    from kokoro_core.checkpoints.store import checkpointer_for

    _, path = saved
    checkpointer = checkpointer_for(path, installed_plugins())
    tensors = load_file(path)
    tensors["decoder.stop_out.bias"] = tensors["decoder.stop_out.bias"].to(dtype)
    checkpointer.save(path, tensors, checkpointer.read_metadata(path))
    with pytest.raises(CheckpointError, match=message):
        KokoroModel.load(path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_model_of_another_precision_comes_back_in_it_and_speaks(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    model = tiny().eval().to(dtype)
    model.save(tmp_path / "other.safetensors")
    loaded = KokoroModel.load(tmp_path / "other.safetensors")
    assert {each.dtype for each in (*loaded.parameters(), *loaded.buffers())} == {dtype}
    expected = model.generate(INDICES, durations=DURATIONS).mel
    assert torch.equal(loaded.generate(INDICES, durations=DURATIONS).mel, expected)


def test_loading_draws_no_weight(saved: tuple[KokoroModel, Path]) -> None:
    before = torch.get_rng_state()
    KokoroModel.load(saved[1])
    assert torch.equal(torch.get_rng_state(), before)
