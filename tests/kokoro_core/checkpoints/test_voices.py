"""A voice is opened by its name, wherever a checkpoint is asked for."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.checkpoints.locate import locate
from kokoro_core.errors import CheckpointError
from registry import Plugins, Voice, installed_plugins

TINY = {
    "hidden_dim": 8,
    **{
        f"{part}.{key}": value
        for part in ("encoder", "decoder")
        for key, value in (("num_layers", 1), ("num_heads", 1), ("ff_dim", 8))
    },
}


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Voice:
    folder = tmp_path_factory.mktemp("acme")
    KokoroModel.from_spec("quick", overrides=TINY).save(folder / "alto.safetensors")
    (folder / "card.md").write_text("# Alto\n\nSings low.\n", encoding="utf-8")
    return Voice("alto", folder / "alto.safetensors", folder / "card.md", "acme")


@pytest.fixture
def plugins(voice: Voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.chdir(tmp_path)
    return replace(installed_plugins(), voices={"alto": voice})


@pytest.mark.parametrize("name", ["alto", "acme/alto"])
def test_a_name_is_the_file_of_the_plugin(name: str, voice: Voice, plugins: Plugins) -> None:
    assert locate(Path(name), plugins).path == voice.checkpoint


def test_a_model_is_loaded_by_the_name_of_a_voice(voice: Voice, plugins: Plugins) -> None:
    by_name = KokoroModel.load(Path("alto"), plugins=plugins)
    by_file = KokoroModel.load(Path(str(voice.checkpoint)), plugins=plugins)
    for name, tensor in by_file.state_dict().items():
        assert torch.equal(by_name.state_dict()[name], tensor)


@pytest.mark.parametrize("path", ["bass", "runs/alto", "alto.safetensors", "./other/alto"])
def test_a_path_that_no_voice_is_called_stays_a_path(path: str, plugins: Plugins) -> None:
    assert locate(Path(path), plugins).path == Path(path)


def test_a_voice_is_not_taken_for_what_lies_here_nor_the_other_way_round(
    tmp_path: Path, voice: Voice, plugins: Plugins
) -> None:
    (tmp_path / "alto").mkdir()
    both = r"`alto` is a voice of the plugin `acme`, and something here.*`acme/alto` .*/alto`\."
    with pytest.raises(CheckpointError, match=both):
        locate(Path("alto"), plugins)
    assert locate(Path("acme/alto"), plugins).path == voice.checkpoint
    with pytest.raises(CheckpointError, match="is a folder without a model or a vocoder"):
        locate(tmp_path / "alto", plugins)


def test_a_voice_both_of_whose_names_lie_here_is_named_by_its_file(
    tmp_path: Path, voice: Voice, plugins: Plugins
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "alto").touch()
    with pytest.raises(CheckpointError, match=r"`acme/alto` is a voice .*write `alto` for the voi"):
        locate(Path("acme/alto"), plugins)
    (tmp_path / "alto").touch()
    for name in ("alto", "acme/alto"):
        with pytest.raises(CheckpointError, match=f"write `{voice.checkpoint}` for the voice"):
            locate(Path(name), plugins)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("altp", r"`altp` is neither a file nor a folder nor a voice, did you mean `alto`\?"),
        ("runs/42", "`runs/42` is neither a file nor a folder nor a voice; the voices are alto"),
    ],
)
def test_a_name_that_nothing_has_is_told_with_the_voices(
    name: str, said: str, plugins: Plugins
) -> None:
    with pytest.raises(CheckpointError, match=said):
        KokoroModel.load(name, plugins=plugins)


def test_a_voice_in_an_archive_is_refused(tmp_path: Path, voice: Voice, plugins: Plugins) -> None:
    with zipfile.ZipFile(tmp_path / "acme.zip", "w") as archive:
        archive.writestr("alto.safetensors", b"")
    packed = zipfile.Path(tmp_path / "acme.zip") / "alto.safetensors"
    other = replace(plugins, voices={"alto": replace(voice, checkpoint=packed)})
    with pytest.raises(
        CheckpointError, match=r"`alto` lies in an archive.*install its package unp"
    ):
        locate(Path("alto"), other)
