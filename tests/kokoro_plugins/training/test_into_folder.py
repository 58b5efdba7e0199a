"""How every training into a folder ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kokoro_plugins.training.into_folder import (
    corpus_called,
    goes_on,
    keeping,
    write_losses,
    written_at_the_end,
)
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.resume.resuming import TrainingStopped
from kokoro_plugins.training.settings import Saving
from registry import installed_plugins


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_what_was_trained_is_written_once_at_the_end(out: Path) -> None:
    done: list[str] = []
    with written_at_the_end(out, lambda: done.append("written")):
        done.append("trained")
    assert done == ["trained", "written"]


def test_what_a_signal_stops_is_written_and_stays_stopped(out: Path) -> None:
    done: list[str] = []
    with pytest.raises(TrainingStopped), written_at_the_end(out, lambda: done.append("written")):
        raise TrainingStopped("a signal", 143)
    assert done == ["written"]


def test_a_start_that_fails_writes_nothing_and_leaves_no_folder(out: Path) -> None:
    done: list[str] = []
    with pytest.raises(OSError, match="full"), written_at_the_end(out, lambda: done.append("w")):
        raise OSError("full")
    assert (done, out.exists()) == ([], False)


@pytest.mark.parametrize(("resume", "there", "goes"), [(True, False, False), (False, True, False)])
def test_a_training_goes_on_only_from_a_step_and_if_asked(
    out: Path, resume: bool, there: bool, goes: bool
) -> None:
    if there:
        (out / "step-000000001").mkdir(parents=True)
    assert goes_on(Saving(out, resume=resume)) is goes


def test_a_corpus_is_at_the_path_that_is_named_beside_its_settings() -> None:
    plugins = installed_plugins()
    params = corpus_called("espeak", Path("somewhere"), {"sentences": 3}, plugins)
    assert params.model_dump(include={"path", "sentences"}) == {"path": "somewhere", "sentences": 3}


def test_a_recipe_is_kept_only_where_there_is_one(out: Path) -> None:
    made = out / "model.safetensors"
    assert len(keeping(made, {"spec": "quick"}, "train", [])) == 2
    assert len(keeping(made, None, "train", [])) == 1


def test_losses_are_written_and_what_was_passed_over_is_said(out: Path) -> None:
    out.mkdir()
    history = History()
    history.skipped.append("step 3")
    said: list[str] = []
    write_losses(out, history, said.append)
    assert said == ["passed over: step 3"]
    assert json.loads((out / "losses.json").read_text("utf-8")) == history.as_dict()
