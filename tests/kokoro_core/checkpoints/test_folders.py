"""A model in a folder: a step directory, a run's folder of them, or a plain folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.test_api import tiny


def numbered(number: int) -> KokoroModel:
    """A model that can be told from others by one weight."""
    model = tiny()
    with torch.no_grad():
        model.acoustic.get_parameter("decoder.stop_out.bias").fill_(float(number))
    return model


def number_of(model: KokoroModel) -> int:
    return int(model.acoustic.get_parameter("decoder.stop_out.bias"))


def write(model: KokoroModel, limit: int | None = None) -> Callable[[Path], None]:
    def write_into(folder: Path) -> None:
        model.save(folder / "model.safetensors", max_shard_bytes=limit)
        (folder / "training.json").write_text("{}")

    return write_into


@pytest.fixture
def run(tmp_path: Path) -> Path:
    steps = StepFolder(tmp_path / "steps", keep_last=3)
    for number in (8, 9, 10):
        steps.save(number, write(numbered(number)), facts={})
    return tmp_path / "steps"


def damage(step: Path, name: str = "model.safetensors") -> None:
    content = bytearray((step / name).read_bytes())
    content[-1] ^= 1
    (step / name).write_bytes(content)


def test_a_step_directory_gives_its_model(run: Path) -> None:
    assert number_of(KokoroModel.load(run / "step-000000009")) == 9


def test_a_folder_of_steps_gives_the_newest(run: Path) -> None:
    assert number_of(KokoroModel.load(run)) == 10


def test_a_damaged_newest_step_is_passed_over_loudly(run: Path) -> None:
    damage(run / "step-000000010")
    with pytest.warns(UserWarning, match="`.*step-000000010` is not intact: .*It is skipped"):
        assert number_of(KokoroModel.load(run)) == 9


def test_a_step_that_is_named_is_not_replaced_by_another(run: Path) -> None:
    damage(run / "step-000000010")
    with pytest.raises(CheckpointError, match=r"step-000000010/model\.safetensors` is damaged"):
        KokoroModel.load(run / "step-000000010")


def test_without_a_step_that_is_whole_nothing_is_loaded(run: Path) -> None:
    for number in (8, 9, 10):
        damage(run / f"step-{number:09d}")
    with (
        pytest.raises(CheckpointError, match="has 3 saved steps and none of them is intact"),
        pytest.warns(UserWarning, match="It is skipped"),
    ):
        KokoroModel.load(run)


def test_what_else_is_in_a_step_need_not_be_whole_for_its_model(run: Path) -> None:
    damage(run / "step-000000009", "training.json")
    assert number_of(KokoroModel.load(run / "step-000000009")) == 9


def test_files_of_two_steps_are_not_mixed(run: Path) -> None:
    shutil.copyfile(
        run / "step-000000009" / "model.safetensors", run / "step-000000010" / "model.safetensors"
    )
    with pytest.raises(CheckpointError, match=r"is damaged: it has the SHA-256 .* says .*; take"):
        KokoroModel.load(run / "step-000000010")


def test_a_step_directory_keeps_its_model_under_another_name(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "step-000000009", tmp_path / "best")
    assert number_of(KokoroModel.load(tmp_path / "best")) == 9
    damage(tmp_path / "best")
    with pytest.raises(CheckpointError, match="is damaged"):
        KokoroModel.load(tmp_path / "best")


def test_a_step_directory_is_found_from_inside(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run / "step-000000009")
    assert number_of(KokoroModel.load(".")) == 9


def test_a_step_with_shards_gives_its_model(tmp_path: Path) -> None:
    steps = StepFolder(tmp_path)
    step = steps.save(1, write(numbered(5), 20_000), facts={})
    assert len(list(step.path.glob("model-*"))) > 1
    assert number_of(KokoroModel.load(tmp_path)) == 5
    damage(step.path, max(step.path.glob("model-*")).name)
    with pytest.raises(CheckpointError, match="is damaged"):
        KokoroModel.load(step.path)


def test_a_manifest_that_is_damaged_is_refused(run: Path) -> None:
    damage(run / "step-000000010", "manifest.json")
    with pytest.raises(CheckpointError, match="is not a whole step directory"):
        KokoroModel.load(run / "step-000000010")


def test_a_step_without_a_model_says_what_it_has(tmp_path: Path) -> None:
    def write_log(folder: Path) -> None:
        (folder / "log.json").write_text("[]")

    StepFolder(tmp_path).save(1, write_log, facts={})
    with pytest.raises(
        CheckpointError, match=r"one file with a model or a vocoder, not 0; it has log\.json"
    ):
        KokoroModel.load(tmp_path)


def test_a_plain_folder_gives_its_model(tmp_path: Path) -> None:
    numbered(3).save(tmp_path / "model.safetensors")
    assert number_of(KokoroModel.load(tmp_path)) == 3


def test_a_folder_without_a_model_says_what_it_could_have(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither a step directory nor `model\.safetensors`"):
        KokoroModel.load(tmp_path)


def test_a_step_that_is_a_link_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(run / "step-000000009")
    with pytest.raises(CheckpointError, match="is not intact"):
        KokoroModel.load(tmp_path / "latest")


def test_hashes_are_not_looked_at_unless_wanted(run: Path) -> None:
    damage(run / "step-000000010")
    assert number_of(KokoroModel.load(run / "step-000000010", verify=False)) != 9


def test_the_folder_of_an_interrupted_training_names_its_newest_step(run: Path) -> None:
    newest = run / "step-000000010"
    with pytest.raises(CheckpointError, match=rf"has not ended, and its newest step is `{newest}`"):
        KokoroModel.load(run.parent)
    assert number_of(KokoroModel.load(newest)) == 10
