"""Parts that stay as they are or have rates of their own, and averages that are gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.parts import matches, names_of, refuse_unknown_parts
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.resume.conditions import ResumeRefused
from kokoro_plugins.training.settings import EVERY_STAGE, Saving, TrainingSettings
from kokoro_plugins.training.updates.params import AdamWParams, ConstantParams, MuonParams
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data
from tests.kokoro_plugins.training.loop.objectives import JudgedParams
from tests.kokoro_plugins.training.resume.saved import differences, steps_in


def train(
    steps: int = 2, saving: Saving | None = None, **settings: Any
) -> tuple[KokoroModel, History]:
    seed_everything(0)
    model = KokoroModel.from_spec(SPEC)
    how = TrainingSettings(device="cpu", precision="32", validate_every=2, **settings)
    return model, fit(model, tiny_data(), StepBudget(steps), how, saving=saving)


def at_start() -> dict[str, Tensor]:
    seed_everything(0)
    return KokoroModel.from_spec(SPEC).acoustic.state_dict()


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("encoder", True),
        ("encoder.*", True),
        ("encoder.layers", True),
        ("*.weight", True),
        ("encoder.layers.0.norm.weight", True),
        ("enc", False),
        ("decoder.*", False),
        ("layers", False),
    ],
)
def test_a_pattern_means_a_part_or_names(pattern: str, meant: bool) -> None:
    assert matches("encoder.layers.0.norm.weight", pattern) is meant


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("objective", [None, JudgedParams()], ids=["alone", "judged"])
def test_what_is_frozen_stays_and_all_else_learns(optimizer: Any, objective: Any) -> None:
    model, _ = train(optimizer=optimizer, objective=objective, freeze=("encoder", "*.bias"))
    before = at_start()
    for name, each in model.acoustic.named_parameters():
        stays = name.startswith("encoder.") or name.endswith(".bias")
        assert each.equal(before[name]) is stays, name
        assert each.requires_grad


def test_a_part_with_half_of_the_rate_moves_half_as_far_in_a_step() -> None:
    before = at_start()
    moved = []
    for rates in ({}, {"encoder.*": 0.5, "encoder": 7.0, "decoder": 2.0}):
        model, _ = train(1, rates=rates, schedules={EVERY_STAGE: ConstantParams()})
        moved.append({n: e.detach() - before[n] for n, e in model.acoustic.named_parameters()})
    for name, step in moved[0].items():
        factor = {"encoder": 0.5, "decoder": 2.0}.get(name.partition(".")[0], 1.0)
        torch.testing.assert_close(moved[1][name], step * factor, rtol=1e-3, atol=1e-7)


OPTIMIZERS = {"model": MuonParams(lr=2e-3), "judge": AdamWParams()}


@pytest.mark.parametrize(
    "settings",
    [
        {"rates": {"encoder": 0.1}, "freeze": ("duration_predictor",)},
        {"rates": {"encoder": 0.1}, "objective": JudgedParams(), "optimizers": OPTIMIZERS},
        {"average": 0.9, "freeze": ("encoder",)},
        {"average": 0.9, "objective": JudgedParams()},
    ],
    ids=["rates", "rates of stages", "average", "average of a stage"],
)
def test_a_training_with_parts_and_averages_goes_on_to_the_bit(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    ended, _ = train(4, Saving(whole, every=1, keep_last=9), **settings)
    shutil.copytree(whole, broken)
    for step in (2, 3, 4):
        shutil.rmtree(steps_in(broken)[step])
    again, _ = train(4, Saving(broken, every=1, keep_last=9, resume=True), **settings)
    for step, folder in steps_in(whole).items():
        assert differences(folder, steps_in(broken)[step]) == []
    for name, each in ended.state_dict().items():
        assert again.state_dict()[name].equal(each), name


def test_the_model_ends_with_the_average_of_the_weights_of_its_steps(tmp_path: Path) -> None:
    ended, history = train(4, Saving(tmp_path, every=1, keep_last=9), average=0.6)
    _, plain = train(4)
    average = {name: each.double() for name, each in at_start().items()}
    for step, folder in steps_in(tmp_path).items():
        stays = min(0.6, (1 + step) / (10 + step))
        for name, each in load_file(folder / "model.safetensors").items():
            average[name] = stays * average[name] + (1 - stays) * each.double()
    for name, each in ended.acoustic.named_parameters():
        torch.testing.assert_close(each.double(), average[name], rtol=1e-5, atol=1e-7)
    learned = [[each.losses for each in found.training] for found in (history, plain)]
    assert learned[0] == learned[1], "the weights that are trained are not the average"


@pytest.mark.parametrize(
    "change",
    [{"average": 0.8}, {"rates": {"encoder": 0.2}}, {"freeze": ("decoder",)}],
    ids=["average", "rate", "freeze"],
)
def test_other_parts_and_averages_are_other_conditions(
    change: dict[str, Any], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"rates": {"encoder": 0.1}, "freeze": ("encoder",), "average": 0.9}
    train(1, Saving(tmp_path / "steps"), **settings)
    name = {"average": "ema"}.get(*change, *change)
    with pytest.raises(ResumeRefused, match=rf"`settings\.{name}"):
        train(2, Saving(tmp_path / "steps", resume=True), **{**settings, **change})


def test_parts_that_nobody_has_are_refused() -> None:
    names = names_of(SPEC)
    assert names == [name for name, _ in KokoroModel.from_spec(SPEC).acoustic.named_parameters()]
    for settings, message in (
        ({"freeze": ("encodr.*",)}, r"`--freeze encodr\.\*` is no part of the model, did you mean"),
        ({"rates": {"postnet": 0.1}}, r"`--rate postnet` is no part of the model; encoder, .* are"),
        ({"freeze": ("*",)}, r"`--freeze` with \* leaves nothing to train"),
    ):
        with pytest.raises(ValueError, match=message):
            refuse_unknown_parts(TrainingSettings(**settings), names)
    with pytest.raises(ValueError, match="is no part of the model"):
        train(freeze=("encodr",))
    with pytest.raises(ValueError, match=r"`rates` must be numbers above 0, not 0\.0; `freeze`"):
        TrainingSettings(rates={"encoder": 0.0})
