"""Losses that come in gradually, and what they are means over where batches are accumulated."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from kokoro_core import KokoroModel, load_spec
from kokoro_core.model import TrainingBatch
from kokoro_plugins.training.data.shares import Shares
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.recipe.loss_schedule import Ramp, factors, refuse_unknown_losses
from kokoro_plugins.training.resume.conditions import ResumeRefused
from kokoro_plugins.training.settings import Saving, TrainingSettings
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data

LATE = {"stop": Ramp(from_step=2, over_steps=2)}
FACTORS = [0.0, 0.0, 0.5, 1.0, 1.0, 1.0]


def train(
    steps: int, saving: Saving | None = None, accumulate: int = 1, schedule: Any = LATE
) -> tuple[KokoroModel, History]:
    seed_everything(0)
    model = KokoroModel.from_spec(SPEC)
    settings = TrainingSettings(
        device="cpu",
        precision="32",
        validate_every=3,
        accumulate=accumulate,
        loss_schedule=schedule,
    )
    return model, fit(model, tiny_data(), StepBudget(steps), settings, saving=saving)


@pytest.mark.parametrize(
    ("ramp", "expected"),
    [
        (Ramp(), [1, 1, 1, 1]),
        (Ramp(from_step=2), [0, 0, 1, 1]),
        (Ramp(from_step=1, over_steps=2), [0, 0.5, 1, 1]),
        (Ramp(over_steps=4), [0.25, 0.5, 0.75, 1]),
    ],
)
def test_a_factor_rises_from_0_to_1_after_its_step(ramp: Ramp, expected: list[float]) -> None:
    assert [ramp.factor(done) for done in range(4)] == expected


def test_a_factor_of_a_loss_of_the_mel_is_that_of_the_coarse_mel_too() -> None:
    found = factors({"mel_l1": Ramp(from_step=1), "stop": Ramp()}, 0)
    assert found == {"mel_l1": 0, "mel_l1_coarse": 0, "stop": 1}


@pytest.mark.parametrize("wrong", [{"from_step": -1}, {"over_steps": 0.5}, {"until": 3}])
def test_a_ramp_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Ramp.model_validate(wrong)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_sum_that_is_trained_on_has_each_loss_times_its_factor(accumulate: int) -> None:
    _, history = train(len(FACTORS), accumulate=accumulate)
    for entry, factor in zip(history.training, FACTORS, strict=True):
        terms = {name: each for name, each in entry.losses.items() if name != "loss"}
        expected = terms.pop("stop") * factor + sum(terms.values())  # every weight is 1
        assert entry.losses["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_sum_of_what_is_held_out_has_every_loss_whole_so_that_steps_can_be_compared() -> None:
    _, history = train(3)
    [entry] = history.validation
    terms = [each for name, each in entry.losses.items() if name != "loss"]
    assert entry.losses["loss"] == pytest.approx(sum(terms), rel=1e-5)


def test_a_loss_of_factor_0_has_no_gradient() -> None:
    gradients = []
    for schedule in ({}, LATE):
        settings = TrainingSettings(loss_schedule=schedule)
        module = TrainingModule(
            model=KokoroModel.from_spec(SPEC), budget=StepBudget(1), settings=settings
        )
        alone = SimpleNamespace(accumulate_grad_batches=1, world_size=1)
        module._trainer = cast("Any", alone)
        module.training_step(next(iter(tiny_data().train_dataloader())), 0).backward()
        heads = [each for name, each in module.model.named_parameters() if "stop" in name]
        gradients.append([each.grad.abs().sum().item() for each in heads if each.grad is not None])
    assert all(each > 0 for each in gradients[0])
    assert gradients == [gradients[0], [0.0] * len(gradients[0])]
    assert gradients[0]


def test_a_training_that_is_resumed_within_a_schedule_ends_to_the_bit_as_one_that_is_not(
    tmp_path: Path,
) -> None:
    whole, history = train(5, Saving(tmp_path / "whole", every=1, keep_last=9))
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for step in ("step-000000004", "step-000000005"):
        shutil.rmtree(tmp_path / "cut" / step)
    resumed, again = train(5, Saving(tmp_path / "cut", every=1, keep_last=9, resume=True))
    assert [each.losses for each in again.training] == [each.losses for each in history.training]
    for (name, ours), theirs in zip(resumed.named_parameters(), whole.parameters(), strict=True):
        assert ours.equal(theirs), name
    first, second = (
        load_file(tmp_path / each / "step-000000005" / "training.safetensors")
        for each in ("whole", "cut")
    )
    assert first.keys() == second.keys()
    other = {"stop": Ramp(from_step=7, over_steps=2)}
    with pytest.raises(ResumeRefused, match=r"stop\.from_step` was 2 and is 7"):
        train(6, Saving(tmp_path / "cut", resume=True), schedule=other)


def test_a_loss_that_the_model_does_not_have_is_refused_with_the_one_that_is_meant() -> None:
    spec = load_spec("small", overrides={"aligner": {"type": "forward_sum"}})
    refuse_unknown_losses(spec, {"aligner.binarise": Ramp(), "duration": Ramp(), "stop": Ramp()})
    with pytest.raises(ValueError, match=r"names `aligner\.binarize`, .* `aligner\.binarise`\?"):
        refuse_unknown_losses(spec, {"aligner.binarize": Ramp()})
    with pytest.raises(ValueError, match=r"has no loss `mel_mse`"):
        refuse_unknown_losses(spec, {"mel_mse": Ramp()})  # its weight is 0
    parallel = load_spec("parallel")
    with pytest.raises(ValueError, match=r"has no loss `stop`; it has mel_l1, duration"):
        refuse_unknown_losses(parallel, {"stop": Ramp()})


def test_losses_of_parts_on_phonemes_are_means_over_phonemes_and_others_over_frames() -> None:
    shares = Shares(load_spec("small", overrides={"aligner": {"type": "forward_sum"}}))
    batch = TrainingBatch(
        phoneme_indices=torch.ones(2, 3, dtype=torch.int64),
        padding_mask=torch.tensor([[False, False, False], [False, True, True]]),
        mel_specs=torch.zeros(2, 7, 80),
        mel_padding_mask=torch.arange(7) >= torch.tensor([[7], [2]]),
        of_step=torch.tensor([18, 16, 2]),
    )
    names = ("duration", "duration_nll", "stop", "aligner.binarise", "aligner.forward_sum")
    found = shares.by_share({name: torch.tensor(1.0) for name in names}, batch)
    # 4 of 16 phonemes, 9 of 18 frames, in one of 2 batches
    assert [found[name].item() for name in names] == [0.5, 0.5, 1, 1, 1]
