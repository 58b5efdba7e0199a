"""Optimizers and schedules as components: what they make of their settings."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kokoro_core import KokoroModel
from kokoro_core.params.component import params_from
from kokoro_core.slots import OPTIMIZER, SCHEDULE
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.optimizers import (
    depends_on_the_end,
    make_optimizer,
    schedule_params,
)
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.resume.conditions import ResumeRefused
from kokoro_plugins.training.settings import EVERY_STAGE, Saving, TrainingSettings
from kokoro_plugins.training.updates.params import (
    AdamWParams,
    ConstantParams,
    ExponentialParams,
    MuonParams,
    NoamParams,
    ScheduleFreeParams,
    WarmupCosineParams,
)
from kokoro_plugins.training.updates.schedules import Noam
from registry import installed_plugins
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data

REGISTRY = installed_plugins().components
OF_OPTIMIZERS = ("adamw", "muon", "soap", "schedule-free")


def test_all_are_found_by_name_and_an_unknown_setting_is_refused() -> None:
    assert {*OF_OPTIMIZERS} <= {*REGISTRY.names("optimizer")}
    assert {"warmup_cosine", "noam", "exponential", "constant"} <= {*REGISTRY.names("schedule")}
    with pytest.raises(ValueError, match="The optimizer `adamw` refuses `beta`"):
        params_from(REGISTRY.get(OPTIMIZER, "adamw"), {"beta": 0.9})
    with pytest.raises(ValueError, match=r"The schedule `exponential` refuses `factor`.* not 1\.5"):
        params_from(REGISTRY.get(SCHEDULE, "exponential"), {"factor": 1.5})


@pytest.mark.parametrize("name", OF_OPTIMIZERS)
def test_an_optimizer_moves_what_it_is_given_and_nothing_else(name: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3))
    params = params_from(REGISTRY.get(OPTIMIZER, name), {"lr": 0.1})
    optimizer = params.build([*module[1].parameters()], module)
    before = [each.detach().clone() for each in module.parameters()]
    for _ in range(3):  # the first step of some only looks
        module(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    equal = [one.equal(other) for one, other in zip(before, module.parameters(), strict=True)]
    assert equal == [True, True, False, False]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_betas_and_decay_are_settings(name: str) -> None:
    kind = REGISTRY.get(OPTIMIZER, name)
    params = kind.model_validate({"lr": 0.5, "betas": [0.8, 0.99], "weight_decay": 0.25})
    bias = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    holder = nn.Module()
    holder.bias = bias
    optimizer = params.build([bias], holder)
    value, mean, square = 2.0, 0.0, 0.0
    for step, gradient in enumerate((3.0, -1.0, 0.5), start=1):
        bias.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        mean, square = 0.8 * mean + 0.2 * gradient, 0.99 * square + 0.01 * gradient**2
        ahead = mean / (1 - 0.8**step) / (math.sqrt(square / (1 - 0.99**step)) + 1e-8)
        value = value * (1 - 0.5 * 0.25) - 0.5 * ahead
    assert bias.item() == pytest.approx(value, rel=1e-9)


def test_noam_is_the_papers_formula_as_a_share_of_its_peak() -> None:
    def of_paper(step: int) -> float:
        return 1 / math.sqrt(512) * min(1 / math.sqrt(step), step / math.sqrt(40) ** 3)

    found = [Noam(warmup_steps=40).factor(done, 0.3) for done in range(200)]
    assert found == pytest.approx([of_paper(done + 1) / of_paper(40) for done in range(200)])


def test_exponential_falls_by_its_factor_every_so_many_steps() -> None:
    schedule = ExponentialParams(factor=0.5, every=3, warmup_steps=1).build()
    assert [schedule.factor(done, 0) for done in range(7)] == [0.5, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_the_usual_schedule_rises_in_a_line_and_ends_low_and_a_constant_one_stays() -> None:
    cosine = WarmupCosineParams(warmup_steps=4).build()
    rises = [cosine.factor(done, 0.0) for done in range(5)]
    assert rises == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    falls = [cosine.factor(9, part / 8) for part in range(9)]
    assert all(one > other for one, other in pairwise(falls))
    assert falls[-1] == pytest.approx(0.02)
    constant = ConstantParams(warmup_steps=1).build()
    assert [constant.factor(done, 0.9) for done in range(3)] == [0.5, 1, 1]


def test_only_a_schedule_that_falls_to_the_end_makes_the_end_matter() -> None:
    def matters(**settings: Any) -> bool:
        return depends_on_the_end(TrainingSettings(**settings))

    assert matters()
    assert not matters(optimizer="schedule-free")
    assert not matters(schedules={EVERY_STAGE: NoamParams()})
    assert not matters(optimizers={EVERY_STAGE: ScheduleFreeParams()})
    both = {"one": ConstantParams(), "other": WarmupCosineParams()}
    assert matters(schedules=both)


def test_a_stage_has_its_own_optimizer_and_schedule_before_those_for_all_and_by_name() -> None:
    settings = TrainingSettings(
        lr=0.5,
        warmup_steps=7,
        optimizers={"one": MuonParams(lr=0.25), EVERY_STAGE: AdamWParams(lr=0.125)},
        schedules={"one": NoamParams(warmup_steps=3)},
    )
    layer = nn.Linear(2, 2)
    rates = [make_optimizer(layer, settings, each).defaults["lr"] for each in ("one", "other")]
    assert rates == [0.25, 0.125]
    assert schedule_params(settings, "one") == NoamParams(warmup_steps=3)
    assert schedule_params(settings, "other") == WarmupCosineParams(warmup_steps=7)
    assert make_optimizer(layer, TrainingSettings(lr=0.5)).defaults["lr"] == 0.5


def test_a_training_follows_the_schedule_and_the_optimizer_that_it_is_given() -> None:
    weights = []
    for chosen in (
        {"lr": 0.002, "warmup_steps": 3},
        {
            "optimizers": {EVERY_STAGE: AdamWParams(lr=0.002)},
            "schedules": {EVERY_STAGE: WarmupCosineParams(warmup_steps=3)},
        },
        {"lr": 0.002, "schedules": {EVERY_STAGE: ConstantParams()}},
    ):
        seed_everything(0)
        model = KokoroModel.from_spec(SPEC)
        settings = TrainingSettings(device="cpu", precision="32", **chosen)
        fit(model, tiny_data(), StepBudget(3), settings)
        weights.append(torch.cat([each.detach().flatten() for each in model.parameters()]))
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


def test_another_decay_or_schedule_is_another_condition_and_the_same_is_none(
    tmp_path: Path,
) -> None:
    def go(steps: int, decay: float, *, resume: bool = False, warmup: int = 3) -> None:
        seed_everything(0)
        settings = TrainingSettings(
            device="cpu",
            precision="32",
            optimizers={EVERY_STAGE: AdamWParams(weight_decay=decay)},
            schedules={EVERY_STAGE: NoamParams(warmup_steps=warmup)},
        )
        saving = Saving(tmp_path / "steps", every=1, resume=resume)
        model = KokoroModel.from_spec(SPEC)
        fit(model, tiny_data(), StepBudget(steps), settings, saving=saving)

    go(1, 0.25)
    go(2, 0.25, resume=True)  # another end, of which this schedule knows nothing
    with pytest.raises(ResumeRefused, match=r"weight_decay` was 0\.25 and is 0\.5"):
        go(3, 0.5, resume=True)
    with pytest.raises(ResumeRefused, match=r"warmup_steps` was 3 and is 4"):
        go(3, 0.25, resume=True, warmup=4)
