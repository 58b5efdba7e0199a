"""A vocoder's training learns, and goes on after an interruption as if there had been none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from kokoro_core.errors import CheckpointError
from kokoro_plugins.adversarial.params import (
    AdversarialParams,
    MultiPeriodParams,
    MultiResolutionParams,
    Resolution,
)
from kokoro_plugins.training.fit import fit_task, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.settings import Saving
from kokoro_plugins.training.vocoder.beginning import build_vocoder
from kokoro_plugins.training.vocoder.settings import usual_settings
from kokoro_plugins.training.vocoder.task import VocoderTask
from registry import installed_plugins
from tests.kokoro_plugins.training.resume import saved
from tests.kokoro_plugins.training.vocoder.recordings import SPEC, data

STEPS = 6
FILES = ("vocoder.safetensors", "training.safetensors")
AGAINST = AdversarialParams(
    discriminators=(
        MultiPeriodParams(periods=(2, 3), channels=(2, 2)),
        MultiResolutionParams(
            resolutions=(Resolution(n_fft=64, hop_length=32, win_length=64),), channels=2
        ),
    ),
    loss="hinge",
    start=2,
)


def train(out: Path, *, steps: int = STEPS, resume: bool = False, **settings: Any) -> History:
    seed_everything(0)
    vocoder = build_vocoder(SPEC)
    task = VocoderTask(spec=SPEC, plugins=installed_plugins(), vocoder=vocoder)
    how = usual_settings(device="cpu", precision="32", **{"validate_every": 2, **settings})
    saving = Saving(out, every=1 if steps == STEPS else steps, keep_last=20, resume=resume)
    return fit_task(task, data(), StepBudget(steps), how, saving=saving)


@pytest.mark.parametrize("objective", [None, AGAINST], ids=["alone", "against discriminators"])
def test_an_interrupted_training_comes_to_the_same_bits(
    tmp_path: Path, objective: AdversarialParams | None
) -> None:
    whole, interrupted = tmp_path / "whole", tmp_path / "interrupted"
    train(whole, objective=objective)
    shutil.copytree(whole, interrupted)
    for step in (4, 5, 6):
        shutil.rmtree(interrupted / f"step-00000000{step}")
    train(interrupted, objective=objective, resume=True)
    last = [each / f"step-00000000{STEPS}" for each in (whole, interrupted)]
    for file in FILES:
        one, other = (saved.read(each / file) for each in last)
        assert one.keys() == other.keys()
        assert [name for name in one if not saved.same(one[name], other[name])] == []


def test_it_learns_and_is_judged_by_weights_that_are_averaged(tmp_path: Path) -> None:
    history = train(tmp_path, steps=20, lr=0.02, warmup_steps=3, average=0.5, validate_every=10)
    assert [*history.training[0].losses] == ["loss", "mel", "convergence", "magnitude"]
    losses = [each.losses["loss"] for each in history.validation]
    assert len(losses) == 2
    assert losses[-1] < 0.7 * history.training[0].losses["loss"]


def test_discriminators_come_in_at_their_start_and_are_saved_with_the_steps(tmp_path: Path) -> None:
    history = train(tmp_path, objective=AGAINST)
    terms = ["discriminator.real", "discriminator.made", "generator.adversarial"]
    for entry in history.training:
        assert ("generator.features" in entry.losses) == (entry.step > 2)
        assert all((each in entry.losses) == (entry.step > 2) for each in terms)
    last = tmp_path / f"step-00000000{STEPS}"
    assert any("discriminators" in name for name in load_file(last / FILES[1]))
    assert not any("discriminators" in name for name in load_file(last / FILES[0]))


def test_a_training_under_other_conditions_does_not_go_on(tmp_path: Path) -> None:
    train(tmp_path, steps=2)
    with pytest.raises(CheckpointError, match=r"`settings\.lr` was 0\.0015 and is 0\.003"):
        train(tmp_path, steps=2, lr=0.003, resume=True)
