"""Trainings in stages: whose gradients go where, and that a stage alone is what there was."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kokoro_core import KokoroModel, ModelSpec, load_spec
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop import module as training_module
from kokoro_plugins.training.loop.bad_steps import BadStep
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.loop.stages import Stages
from kokoro_plugins.training.recipe.loss_schedule import Ramp
from kokoro_plugins.training.resume.conditions import ResumeRefused
from kokoro_plugins.training.settings import EVERY_STAGE, Saving, TrainingSettings
from kokoro_plugins.training.updates.params import (
    AdamWParams,
    ConstantParams,
    MuonParams,
    NoamParams,
)
from kokoro_plugins.training.updates.schedules import rate_factor
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data
from tests.kokoro_plugins.training.loop.objectives import Judged, JudgedParams, Own, OwnParams
from tests.kokoro_plugins.training.resume.saved import differences, read, steps_in

PLAIN = load_spec(SPEC, overrides={"decoder.teacher_mask": 0.0, "encoder.dropout": 0.0})
HOW: dict[str, Any] = {"device": "cpu", "precision": "32", "validate_every": 2}


def train(
    steps: int = 3, *, spec: ModelSpec = SPEC, saving: Saving | None = None, **settings: Any
) -> tuple[KokoroModel, History]:
    seed_everything(0)
    model = KokoroModel.from_spec(spec)
    how = TrainingSettings(**{**HOW, **settings})
    return model, fit(model, tiny_data(), StepBudget(steps), how, saving=saving)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"accumulate": 2},
        {"accumulate": 2, "loss_schedule": {"stop": Ramp(from_step=1, over_steps=2)}},
        {"optimizer": "muon"},
    ],
    ids=["plain", "accumulated", "scheduled", "muon"],
)
def test_a_stage_of_the_models_own_loss_is_the_training_without_an_objective_to_the_bit(
    settings: dict[str, Any],
) -> None:
    plain, history = train(**settings)
    staged, in_stages = train(objective=OwnParams(), **settings)
    assert same(weights(plain), weights(staged))
    for name in ("training", "validation"):
        ours, theirs = getattr(history, name), getattr(in_stages, name)
        assert [each.losses for each in ours] == [each.losses for each in theirs]


def test_the_default_training_is_a_loop_by_hand_to_the_bit() -> None:
    trained, history = train(3, spec=PLAIN, warmup_steps=2)
    seed_everything(0)
    model = KokoroModel.from_spec(PLAIN).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    data = tiny_data()
    data.endless(accumulate=1)
    for step, batch in enumerate(islice(iter(data.train_dataloader()), 3)):
        optimizer.param_groups[0]["lr"] = 1e-3 * rate_factor(step, step / 3, warmup_steps=2)
        optimizer.zero_grad()
        loss = model(batch).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        assert history.training[step].losses["loss"] == loss.item()
    assert same(weights(trained), weights(model))


def test_each_stage_moves_its_own_parameters_by_the_gradient_of_its_own_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both sums depend on all parameters; against two backward passes of a copy of everything."""
    seen: list[list[Tensor]] = []
    of_torch = torch.nn.utils.get_total_norm

    def note(gradients: list[Tensor]) -> Tensor:
        seen.append([each.clone() for each in gradients])
        return of_torch(gradients)

    monkeypatch.setattr(training_module, "get_total_norm", note)
    spec = load_spec(PLAIN, overrides={"gradient_checkpointing": {"segments": 1}})
    seed_everything(0)
    model = KokoroModel.from_spec(spec)
    twin = copy.deepcopy(model).train()
    settings = TrainingSettings(**HOW, objective=JudgedParams())
    seed_everything(3)
    fit(model, data := tiny_data(), StepBudget(1), settings)
    seed_everything(3)
    judged = Judged(width=4)
    batch = next(iter(data.train_dataloader()))
    output = twin(batch)
    judge = judged.loss("judge", output, batch)
    expected = torch.autograd.grad(
        judge["real"] + judge["made"], [*judged.parameters()], retain_graph=True
    )
    for gradient, other in zip(seen[0], expected, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-5, atol=1e-7)
    terms = judged.loss("model", output, batch)
    expected = torch.autograd.grad(
        terms["own"] + terms["judged"], [*twin.parameters()], allow_unused=True
    )
    for gradient, other in zip(seen[1], [e for e in expected if e is not None], strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-5, atol=1e-7)


def test_terms_are_named_by_stage_and_a_stage_may_wait() -> None:
    _, history = train(3, objective=JudgedParams(start=2))
    plain, _ = train(2)
    waited, _ = train(2, objective=JudgedParams(start=2))
    names = [set(each.losses) for each in history.training]
    assert names[0] == names[1] == {"loss", "mel_l1", "duration", "stop"}
    assert names[2] - names[1] == {"judge.real", "judge.made", "model.judged"}
    assert [set(each.losses) for each in history.validation] == [names[0]] * 2
    assert same(weights(plain), weights(waited))


def test_each_stage_has_the_optimizer_and_the_rates_that_it_is_given() -> None:
    rates: list[dict[str, float]] = []

    seed_everything(0)
    settings = TrainingSettings(
        **HOW,
        objective=JudgedParams(),
        optimizers={"judge": AdamWParams(lr=0.5), "model": MuonParams(lr=0.25)},
        schedules={"judge": NoamParams(warmup_steps=4), EVERY_STAGE: ConstantParams()},
    )
    module = TrainingModule(
        model=KokoroModel.from_spec(SPEC), budget=StepBudget(3), settings=settings
    )
    made = module.configure_optimizers()
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    for _ in range(2):
        by_stage = optimizer.optimizers.items()
        rates.append({name: each.param_groups[0]["lr"] for name, each in by_stage})
        optimizer.step()
        scheduler.step()
    assert rates == [{"judge": 0.125, "model": 0.25}, {"judge": 0.25, "model": 0.25}]
    assert [len(each.param_groups) for each in optimizer.optimizers.values()] == [1, 2]


@pytest.mark.parametrize("broken_after", [1, 2, 3])
@pytest.mark.parametrize("start", [0, 2])
def test_a_training_in_stages_goes_on_to_the_bit(
    start: int, broken_after: int, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "objective": JudgedParams(start=start),
        "optimizers": {"judge": AdamWParams(betas=(0.5, 0.9)), "model": MuonParams()},
        "schedules": {"judge": NoamParams(warmup_steps=2)},
        "accumulate": 2,
    }
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(5, saving=Saving(whole, every=1, keep_last=9), **settings)
    shutil.copytree(whole, broken)
    for step, folder in steps_in(broken).items():
        if step > broken_after:
            shutil.rmtree(folder)
    train(5, saving=Saving(broken, every=1, keep_last=9, resume=True), **settings)
    for step, folder in steps_in(whole).items():
        assert differences(folder, steps_in(broken)[step]) == []


def test_the_objectives_weights_are_saved_with_the_training_and_not_with_the_model(
    tmp_path: Path,
) -> None:
    train(1, saving=Saving(tmp_path / "steps"), objective=JudgedParams())
    [step] = steps_in(tmp_path / "steps").values()
    values = read(step / "training.safetensors")
    own = [name for name in values if name.startswith("state.objective.")]
    assert sorted(own) == [
        f"state.objective.judge.{i}.{n}" for i in (0, 2) for n in ("bias", "weight")
    ]
    [kind] = [each for name, each in values.items() if name.endswith("settings.objective.type")]
    assert kind == "judged"
    loaded = KokoroModel.load(step / "model.safetensors")
    assert not [name for name in loaded.state_dict() if "judge" in name]


@pytest.mark.parametrize("other", [None, JudgedParams(hidden=4)], ids=["none", "wider"])
def test_no_training_goes_on_with_another_objective(other: Any, tmp_path: Path) -> None:
    train(1, saving=Saving(tmp_path / "steps"), objective=JudgedParams())
    for inexact, message in ((False, r"`settings\.objective\."), (True, "of another objective")):
        saving = Saving(tmp_path / "steps", resume=True, allow_inexact=inexact)
        with pytest.raises(ResumeRefused, match=message):
            train(2, saving=saving, objective=other)


def test_a_nan_in_the_objective_is_named_and_no_weight_is_moved() -> None:
    with pytest.raises(BadStep, match=r"gradient is nan at step 1;.* loss term `judge\.real`"):
        train(1, objective=JudgedParams(poisoned=True))


def test_an_optimizer_of_a_stage_that_nobody_has_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"`optimizers` names `juge`, but the objective has no"
        r" such stage, did you mean `judge`\?",
    ):
        train(objective=JudgedParams(), optimizers={"juge": AdamWParams()})
    with pytest.raises(ValueError, match=r"`schedules` names `other`.* it has judge, model\."):
        train(objective=JudgedParams(), schedules={"other": ConstantParams()})
    with pytest.raises(ValueError, match=r"`schedules` names the stage `model`.* write `\*`"):
        train(schedules={"model": ConstantParams()})


def test_stages_that_share_a_parameter_or_have_none_are_refused() -> None:
    class Twice(Own):
        def stages(self) -> tuple[str, ...]:
            return ("first", "second")

    class Nothing(Own):
        def parameters_of(self, stage: str, model: nn.Module) -> list[nn.Parameter]:
            return []

    with pytest.raises(ValueError, match=r"`first` and `second`.* both move a parameter.*\(2, 2\)"):
        Stages(Twice(), nn.Linear(2, 2))
    with pytest.raises(ValueError, match="The stage `model` of the objective has no parameters"):
        Stages(Nothing(), nn.Linear(2, 2))


def test_several_devices_are_refused_with_an_objective() -> None:
    with pytest.raises(ValueError, match="`devices` must be 1 with an `objective`, not 2"):
        TrainingSettings(devices=2, objective=OwnParams())
    assert replace(TrainingSettings(devices=2), lr=0.5).devices == 2
