"""Files that were made before the modules moved are read, spoken with and trained on as then.

``before/`` was written by the code of commit 20d1f51: a training of eight steps, its state
after the fourth of them, the model after the last, and what that said of two texts.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel
from kokoro_core.durable import StepFolder
from tests.kokoro_plugins.training.jobs import STEPS, train

BEFORE = Path(__file__).with_name("before")
assert_close = partial(torch.testing.assert_close, atol=1e-4, rtol=1e-3)  # of another processor


def test_a_step_of_before_is_whole() -> None:
    step = StepFolder(BEFORE / "steps").newest(say=pytest.fail)
    assert step is not None
    assert step.number == 4


def test_a_checkpoint_of_before_loads_and_says_what_it_said() -> None:
    spoken = load_file(BEFORE / "spoken.safetensors")
    model = KokoroModel.load(BEFORE / "model.safetensors")
    result = model.generate(spoken["phonemes"], durations=spoken["durations"], stop_threshold=0.999)
    assert result.lengths.tolist() == spoken["lengths"].tolist()
    assert_close(result.mel, spoken["mel"])


def test_a_training_of_before_goes_on_and_ends_where_it_did(tmp_path: Path) -> None:
    shutil.copytree(BEFORE / "steps", tmp_path / "steps")
    train(str(tmp_path / "steps"), every=4, steps=STEPS, resume=True, allow_inexact=True)
    ended, then = (load_file(folder / "model.safetensors") for folder in (tmp_path, BEFORE))
    assert ended.keys() == then.keys()
    for name, tensor in then.items():
        assert_close(ended[name], tensor)
    ours, theirs = (
        json.loads((folder / "losses.json").read_text("utf-8")) for folder in (tmp_path, BEFORE)
    )
    ours, theirs = ([each["losses"] for each in run["training"]] for run in (ours, theirs))
    assert ours[:4] == theirs[:4], "what was saved is not computed anew"
    for mine, old in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(old, rel=1e-3)
