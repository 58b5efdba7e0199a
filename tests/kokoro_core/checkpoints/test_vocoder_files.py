"""A vocoder in a file of its own, and what is refused of such files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core import AudioSettings, KokoroModel, SpecError
from kokoro_core.checkpoints.layout import CheckpointMismatch
from kokoro_core.checkpoints.locate import checkpointer_for, locate
from kokoro_core.checkpoints.vocoder_file import load_vocoder, save_vocoder
from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from registry import installed_plugins
from tests.kokoro_core.checkpoints.vocoder_toy import (
    AUDIO,
    ToyVocoderParams,
    plugins,
    speaking,
    toy_vocoder,
    untrained,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path, toy = tmp_path / "vocoder.safetensors", toy_vocoder(width=5)
    save_vocoder(path, toy.vocoder, toy.params, plugins())
    return path


def metadata_of(path: Path) -> dict[str, Any]:
    return checkpointer_for(path, plugins()).read_metadata(path)


def rewrite(path: Path, tensors: dict[str, Any] | None = None, **metadata: Any) -> None:
    checkpointer = checkpointer_for(path, plugins())
    old, weights = checkpointer.read_metadata(path), checkpointer.load(path)
    checkpointer.save(path, {**weights, **(tensors or {})}, {**old, **metadata})


def test_it_is_read_back_with_its_settings_and_those_of_its_mels(path: Path) -> None:
    found, toy = load_vocoder(path, plugins()), toy_vocoder(width=5)
    assert (found.params, found.audio) == (toy.params, AUDIO)
    mel = torch.randn(1, 4, 80)
    wave = found.vocoder.decode(mel, torch.tensor([4]))
    assert torch.equal(wave, toy.vocoder.decode(mel, torch.tensor([4])))
    assert not found.vocoder.training
    assert not any(each.requires_grad for each in found.vocoder.parameters())


def test_its_metadata_is_a_spec_s_sections_and_where_the_component_is_from(path: Path) -> None:
    found = metadata_of(path)
    assert found["vocoder"] == {"type": "toys/two_layers", "width": 5}
    assert AudioSettings(**found["audio"]) == AUDIO
    assert found["components"] == [
        {
            "path": "vocoder",
            "slot": "vocoder",
            "name": "toys/two_layers",
            "plugin": "toys",
            "distribution": "acme-toys",
            "version": "1.0",
        }
    ]


def test_equal_vocoders_are_equal_files(path: Path, tmp_path: Path) -> None:
    found = load_vocoder(path, plugins())
    save_vocoder(tmp_path / "again.safetensors", found.vocoder, found.params, plugins())
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_that_of_a_checkpoint_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    speaking().save(path)
    found, toy = load_vocoder(path, plugins()), toy_vocoder()
    assert found.params == toy.params
    assert found.audio.differences(AUDIO) == []
    for name, each in found.vocoder.state_dict().items():
        assert torch.equal(each, toy.vocoder.state_dict()[name])


def test_a_checkpoint_without_one_says_what_makes_one(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    untrained().save(path)
    with pytest.raises(CheckpointError, match=r"no weights of a vocoder; `kokoro-core train-voco"):
        load_vocoder(path, plugins())


def test_it_is_no_model(path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is a vocoder without a model; `kokoro-core checkp"):
        KokoroModel.load(path, plugins=plugins())


def test_a_damaged_one_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_vocoder(path, plugins())


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"vocoder.first.bias": torch.zeros(2)}, r"`vocoder.first.bias` is \(2,\), not \(5,\)"),
        ({"vocoder.third": torch.zeros(2)}, r"`vocoder.third` is not in the vocoder"),
        ({"encoder.first": torch.zeros(2)}, r"`encoder.first` is not in the vocoder"),
    ],
)
def test_each_tensor_is_placed(path: Path, tensors: Any, said: str) -> None:
    rewrite(path, tensors)
    with pytest.raises(CheckpointMismatch, match=said):
        load_vocoder(path, plugins())


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"vocoder": {"type": "toys/two_layers", "width": 0}}, r"vocoder.width"),
        ({"vocoder": {"type": "toys/two_layers", "wide": 5}}, r"vocoder.wide"),
        ({"vocoder": "two_layers"}, r"vocoder: expected a mapping with the key 'type'"),
        ({"audio": {"fmin": -1.0}}, r"audio.fmin"),
        ({"audio": None}, r"audio"),
    ],
)
def test_settings_that_are_none_are_named_with_the_file(
    path: Path, metadata: Any, said: str
) -> None:
    rewrite(path, **metadata)
    with pytest.raises(SpecError, match=rf"vocoder.safetensors.*{said}"):
        load_vocoder(path, plugins())


def test_a_component_that_is_not_installed_is_named_with_what_brought_it(path: Path) -> None:
    with pytest.raises(SpecError, match=r"no vocoder is named .*two_layers.*`acme-toys` 1.0"):
        load_vocoder(path, installed_plugins())


def test_another_format_is_refused(path: Path) -> None:
    rewrite(path, format_version=2)
    with pytest.raises(CheckpointError, match="has checkpoint format 2; this version reads 1"):
        load_vocoder(path, plugins())


def test_one_that_its_settings_do_not_describe_is_not_written(tmp_path: Path) -> None:
    path, toy = tmp_path / "vocoder.safetensors", toy_vocoder(width=5)
    with pytest.raises(
        CheckpointMismatch, match=r"not that of its settings: `vocoder.first.weight"
    ):
        save_vocoder(path, toy.vocoder, ToyVocoderParams(width=4), plugins())
    with torch.no_grad():
        toy.vocoder.get_parameter("first.weight")[0, 0] = torch.nan
    with pytest.raises(CheckpointError, match=r"not written: `vocoder.first.weight` has 1 NaN"):
        save_vocoder(path, toy.vocoder, toy.params, plugins())
    assert not path.exists()


def test_the_folder_of_its_training_is_as_good_as_the_file(path: Path) -> None:
    assert load_vocoder(path.parent, plugins()).params == toy_vocoder(width=5).params


def steps_of(path: Path) -> Path:
    """Return a training's folder of steps with one, of which the file is."""
    folder = path.parent / "run" / "steps"

    def write(into: Path) -> None:
        shutil.copy(path, into)

    StepFolder(folder).save(7, write, facts={})
    return folder


def test_it_is_found_in_a_step_of_its_training(path: Path) -> None:
    folder = steps_of(path)
    for each in (folder, folder / "step-000000007"):
        assert load_vocoder(each, plugins()).params == toy_vocoder(width=5).params


def test_a_damaged_one_in_a_step_is_told_by_the_manifest(path: Path) -> None:
    step = steps_of(path) / "step-000000007"
    content = bytearray((step / path.name).read_bytes())
    content[-1] ^= 1
    (step / path.name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"vocoder\.safetensors` is damaged: it has the SHA"):
        load_vocoder(step, plugins())


def test_a_folder_with_a_model_and_a_vocoder_gives_the_model(path: Path) -> None:
    assert locate(path.parent, plugins()).path == path
    speaking().save(path.parent / "model.safetensors")
    assert locate(path.parent, plugins()).path == path.parent / "model.safetensors"


def test_the_folder_of_a_vocoder_is_no_model(path: Path) -> None:
    with pytest.raises(CheckpointError, match="` is a vocoder without a model"):
        KokoroModel.load(path.parent, plugins=plugins())
