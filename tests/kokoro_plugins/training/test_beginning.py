"""Trainings that begin with a checkpoint: what is kept, what has grown, what starts anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel, ModelSpec, load_spec
from kokoro_core.cli.app import main
from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.beginning import begin_from, phonemes_of
from registry import installed_plugins
from tests.kokoro_plugins.training.jobs import SPEC

PLUGINS = installed_plugins()
SPEAKERS = {"conditioners": {"speaker": {"type": "lookup", "dim": 4, "add": True}}}


def of_speakers(*names: str, **overrides: Any) -> ModelSpec:
    return load_spec(SPEC, overrides={**SPEAKERS, "speakers": [*names], **overrides})


def saved(folder: Path, spec: ModelSpec = SPEC) -> tuple[Path, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = KokoroModel.from_spec(spec)
    path = folder / "model.safetensors"
    model.save(path)
    return path, model.acoustic.state_dict()


def begun(path: Path, spec: ModelSpec, *fresh: str) -> tuple[dict[str, torch.Tensor], str]:
    torch.manual_seed(1)
    said: list[str] = []
    model = begin_from(path, spec, fresh, PLUGINS, said.append)
    [table] = said
    return model.acoustic.state_dict(), table


def test_a_model_of_the_same_spec_has_all_of_the_checkpoint(tmp_path: Path) -> None:
    path, old = saved(tmp_path)
    new, table = begun(path, SPEC)
    assert all(each.equal(old[name]) for name, each in new.items())
    assert f"taken: {len(old)} tensors" in table
    assert "starts anew: 0 tensors" in table


def test_weights_of_half_precision_are_trained_in_full(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec(SPEC)
    model.half().save(tmp_path / "model.safetensors")
    new, _ = begun(tmp_path / "model.safetensors", SPEC)
    old = model.acoustic.state_dict()
    assert all(each.dtype == torch.float32 for each in new.values() if each.is_floating_point())
    assert all(each.equal(old[name].float()) for name, each in new.items())


def test_speakers_are_known_by_name_and_new_ones_start_anew(tmp_path: Path) -> None:
    path, old = saved(tmp_path, of_speakers("anna", "ben"))
    new, table = begun(path, of_speakers("ben", "cara", "anna"))
    [name] = [
        each for each in old if each.startswith("conditioners.speaker") and old[each].shape[0] == 2
    ]
    assert new[name][0].equal(old[name][1])
    assert new[name][2].equal(old[name][0])
    assert not any(new[name][1].equal(each) for each in old[name])
    assert f"{name}: 2 of 3 speakers" in table
    assert all(each.equal(old[other]) for other, each in new.items() if other != name)


def test_another_speaker_alone_does_not_get_the_voice_of_the_one_before(tmp_path: Path) -> None:
    path, old = saved(tmp_path, of_speakers("anna"))
    new, table = begun(path, of_speakers("cara"))
    assert "0 of 1 speakers" in table
    differing = [name for name, each in new.items() if not each.equal(old[name])]
    assert len(differing) == 1
    assert differing[0].startswith("conditioners.speaker")


def test_phonemes_are_known_by_their_symbols(tmp_path: Path) -> None:
    assert SPEC.frontend is not None
    symbols = SPEC.frontend.build(SPEC.sizes).symbols
    changed = (symbols[0], *reversed(symbols[5:]), "§")
    settings = {"frontend.symbols": [*changed], "vocab_size": len(changed)}
    spec = load_spec(SPEC, overrides=settings)
    path, old = saved(tmp_path)
    new, table = begun(path, spec)
    table_name = "encoder.embedding.weight"
    for index, symbol in enumerate(changed):
        if symbol in symbols:
            assert new[table_name][index].equal(old[table_name][symbols.index(symbol)]), symbol
    assert f"{len(changed) - 1} of {len(changed)} phonemes" in table
    assert phonemes_of(SPEC, SPEC) is None


def test_a_part_that_the_checkpoint_lacks_starts_anew_only_if_it_is_said(tmp_path: Path) -> None:
    path, old = saved(tmp_path)
    wider = load_spec(SPEC, overrides={"decoder.ff_dim": 12, "postnet": {"type": "conv"}})
    with pytest.raises(CheckpointError) as refused:
        begun(path, wider)
    said = str(refused.value)
    assert "has not all of the model:\n- decoder." in said
    assert "--fresh decoder --fresh postnet" in said
    new, table = begun(path, wider, "decoder", "postnet")
    assert all(new[name].equal(each) for name, each in old.items() if name.startswith("encoder."))
    assert "as asked for" in table
    with pytest.raises(CheckpointError, match="with which no tensor begins"):
        begun(path, SPEC, "postnet")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    return int(left.value.code or 0)


SMALL = [
    word
    for part in ("hidden_dim=16", "encoder.ff_dim=16", "decoder.ff_dim=16", "encoder.num_layers=1")
    for word in ("--set", part)
]


def test_a_training_begins_with_a_checkpoint_and_goes_on_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--corpus", "espeak", "--data", tmp_path / "data", "--corpus-set", "sentences=6"]
    how = ["--holdout", "2", "--device", "cpu", "--precision", "32", "--threads", "1"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert run("train", "quick", *SMALL, *data, *how, "--steps", "1", "--out", first) == 0
    tuned = [
        "--from",
        first / "model.safetensors",
        "--freeze",
        "encoder.*",
        "--rate",
        "decoder=0.5",
    ]
    tuned += ["--ema", "0.9", "--save-every", "1", "--steps", "2", "--out", second]
    capsys.readouterr()
    assert run("train", "quick", *SMALL, *data, *how, *tuned) == 0
    assert "adapted from" in capsys.readouterr().out
    old, new = (load_file(each / "model.safetensors") for each in (first, second))
    changed = {name.partition(".")[0] for name, each in new.items() if not each.equal(old[name])}
    assert "encoder" not in changed
    assert "decoder" in changed
    (first / "model.safetensors").unlink()
    (second / "model.safetensors").unlink()
    for file in [*(second / "steps" / "step-000000002").iterdir()]:
        file.unlink()
    (second / "steps" / "step-000000002").rmdir()
    assert run("train", "--resume", "--out", second) == 0
    again = load_file(second / "model.safetensors")
    assert all(each.equal(again[name]) for name, each in new.items())


def test_without_a_spec_a_training_takes_that_of_the_checkpoint_and_so_does_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, old = saved(tmp_path, load_spec(SPEC, overrides={"name": "of-the-checkpoint"}))
    data = ["--corpus", "espeak", "--data", tmp_path / "data", "--corpus-set", "sentences=6"]
    how = ["--holdout", "2", "--device", "cpu", "--precision", "32", "--threads", "1"]
    out = tmp_path / "out"
    tuned = ["--from", path, "--set", "loss.duration=0.5", "--save-every", "1"]
    assert run("train", *tuned, *data, *how, "--steps", "2", "--out", out) == 0
    table = capsys.readouterr().out
    assert f"taken: {len(old)} tensors" in table
    first = KokoroModel.load(out)
    assert first.spec.name == "of-the-checkpoint"
    assert first.spec.loss.duration == 0.5
    for file in [path, out / "model.safetensors", *(out / "steps" / "step-000000002").iterdir()]:
        file.unlink()
    (out / "steps" / "step-000000002").rmdir()
    assert run("train", "--resume", "--out", out) == 0
    again = KokoroModel.load(out)
    assert again.spec == first.spec
    weights = first.acoustic.state_dict()
    assert all(each.equal(weights[name]) for name, each in again.acoustic.state_dict().items())


def test_a_part_to_freeze_that_is_none_is_said_before_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data", tmp_path / "nothing", "--steps", "1", "--out", tmp_path / "out"]
    assert run("train", "quick", *where, "--freeze", "encodr") == 1
    assert "`--freeze encodr` is no part of the model, did you mean" in capsys.readouterr().err
    assert run("train", "quick", *where, "--rate", "encoder:2") == 1
    assert "`--rate encoder:2` must be PART=FACTOR, for example `encoder=0.1`" in (
        capsys.readouterr().err
    )
