"""Recipes: what they say, what wins over them, and that a training goes on with its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file
from typer.main import get_command_from_info
from typer.models import CommandInfo

from kokoro_core.cli.app import main
from kokoro_core.spec.problems.problem import SpecError
from kokoro_plugins.adversarial.params import AdversarialParams, PatchParams
from kokoro_plugins.training.commands.asked import Asked, Call, asked_for
from kokoro_plugins.training.commands.recipe_model import MODELS, VOCODERS, RecipeKind
from kokoro_plugins.training.commands.train import train
from kokoro_plugins.training.commands.train_vocoder import train_vocoder
from kokoro_plugins.training.recipe.loss_schedule import Ramp
from kokoro_plugins.training.settings import EVERY_STAGE, TrainOptions
from kokoro_plugins.training.updates.params import (
    AdamWParams,
    ConstantParams,
    ExponentialParams,
    MuonParams,
    NoamParams,
    WarmupCosineParams,
)
from registry import installed_plugins

PLUGINS = installed_plugins()
GOOD = """
spec: quick
set: {hidden_dim: 48}
steps: 7
seed: 3
lr: 2.0e-3
warmup: 9
accumulate: 2
save_every: 5
on_bad_step: skip:4
loss_schedule: {mel_l1: {from_step: 2, over_steps: 4}}
optimizer:
  generator: {type: muon}
  discriminator: {type: adamw, lr: 2.0e-4, betas: [0.8, 0.99]}
schedule: {type: exponential, factor: 0.5}
objective: {type: adversarial, discriminators: [{type: patch, num_layers: 2}], start: 20}
data: {corpus: {type: folder, path: my-voice, cache_mib: 3}, batch_frames: 300, holdout: 4}
"""


def ask(recipe: Path | None = None, **said: Any) -> Asked:
    nothing: dict[str, Any] = {"options": {}, "others": {}, "components": {}}
    lists: dict[str, Any] = {"corpus_settings": (), "spec_settings": ()}
    given = {"recipe": recipe, "resume": False, **nothing, **lists, **said}
    return asked_for(Call(**given), PLUGINS)


def options_of(asked: Asked) -> TrainOptions:
    return asked.options(asked.spec())


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "recipe.yaml"

    return write


def test_a_recipe_says_all_that_makes_a_training(write: Callable[[str], Path]) -> None:
    asked = ask(write(GOOD))
    options = options_of(asked)
    assert asked.spec().hidden_dim == 48
    assert (options.data, options.corpus) == (Path("my-voice"), "folder")
    assert options.corpus_settings == {"cache_mib": 3}
    assert (options.batch_frames, options.holdout, options.seed) == (300, 4, 3)
    assert (options.saving.every, options.saving.folder) == (5, Path("runs/quick/steps"))
    settings = options.settings
    assert (settings.lr, settings.accumulate, settings.skip_bad_steps) == (2e-3, 2, 4)
    assert settings.loss_schedule == {"mel_l1": Ramp(from_step=2, over_steps=4)}
    assert settings.optimizers == {
        "generator": MuonParams(lr=2e-3),
        "discriminator": AdamWParams(lr=2e-4, betas=(0.8, 0.99)),
    }
    assert settings.schedules == {EVERY_STAGE: ExponentialParams(factor=0.5, warmup_steps=9)}
    assert settings.objective == AdversarialParams(
        discriminators=(PatchParams(num_layers=2),), start=20
    )


def test_flags_win_over_the_file(write: Callable[[str], Path]) -> None:
    asked = ask(
        write(GOOD),
        options={"lr": 0.5, "batch_frames": 400, "minutes": 2.0, "seed": 0, "corpus": "espeak"},
        others={"data": Path("other"), "threads": 2, "spec": "small", "out": None},
        components={"objective": "null", "optimizer": "muon", "schedule": "{type: noam}"},
        corpus_settings=["sentences=8"],
        spec_settings=["hidden_dim=64", "decoder.ff_dim=96"],
    )
    options = options_of(asked)
    assert (options.data, options.corpus) == (Path("other"), "espeak")
    assert options.corpus_settings == {"sentences": 8}
    assert (options.batch_frames, options.holdout, options.seed) == (400, 4, 0)
    assert (asked.given.values["minutes"], asked.given.values.get("steps")) == (2.0, None)
    assert asked.recipe.threads == 2
    assert (asked.spec().name, asked.spec().hidden_dim) == ("small", 64)
    settings = options.settings
    assert (settings.objective, settings.optimizer, settings.optimizers) == (None, "muon", {})
    assert (settings.lr, settings.schedules) == (0.5, {EVERY_STAGE: NoamParams(warmup_steps=9)})
    assert options.recipe is not None
    assert options.recipe["set"] == {"hidden_dim": 64, "decoder.ff_dim": 96}
    assert "out" not in options.recipe


def test_without_a_file_flags_make_the_training_that_they_always_made() -> None:
    asked = ask(
        options={"steps": 3},
        others={"spec": "quick", "data": Path("x")},
        components={"optimizer": "soap"},
    )
    options = options_of(asked)
    assert options.recipe == {
        "steps": 3,
        "spec": "quick",
        "data": {"corpus": {"type": "folder", "path": "x"}},
        "optimizer": "soap",
    }
    given = {"recipe": options.recipe}
    assert options == TrainOptions(
        data=Path("x"),
        out=Path("runs/quick"),
        saving=options.saving,
        settings=options.settings,
        **given,  # type: ignore[arg-type]
    )
    assert options.settings.optimizer == "soap"


@pytest.mark.parametrize(
    ("function", "kind"), [(train, MODELS), (train_vocoder, VOCODERS)], ids=["train", "vocoder"]
)
def test_every_option_of_the_command_has_a_place_in_recipes(
    function: Callable[..., None], kind: RecipeKind
) -> None:
    info = CommandInfo(function.__name__, callback=function)
    command = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
    names = {each.opts[0].lstrip("-").replace("-", "_") for each in command.params}
    of_a_call = {"recipe", "resume", "inexact", "help"}
    renamed = {"corpus": "corpus", "data": "corpus", "corpus_set": "corpus", "SPEC": "spec"}
    renamed["logger"] = "loggers"
    keys = {*kind.model.model_fields, *kind.data.model_fields}
    missing = {each for each in names - of_a_call if renamed.get(each, each) not in keys}
    assert missing == set()
    assert len(names) > 25


def test_every_problem_of_a_recipe_is_listed_at_its_line(write: Callable[[str], Path]) -> None:
    file = write("""\
spec: quick
stepps: 3
optimizer:
  generator: {type: adamw, beta: [0.8, 0.99]}
  discriminator: {type: adam, lr: 2.0e-4}
schedule: {type: exponential, factor: 2}
objective: {type: adversarial, discriminators: [{type: pach}, {type: patch, num_layer: 2}]}
loss_schedule: {mel_l1: {from: 3}}
data: {corpus: {path: x, cash_mib: 3}, batch_frame: 2000}
""")
    with pytest.raises(SpecError) as caught:
        ask(file)
    said = [str(each).removeprefix(f"{file}:") for each in caught.value.problems]
    assert [each.partition("; available")[0].partition(" available")[0] for each in said] == [
        "2:1: stepps: unknown field, did you mean 'steps'? [unknown-field]",
        "4:28: optimizer.generator.beta: unknown field, did you mean 'betas'? [unknown-field]",
        "5:25: optimizer.discriminator.type: no optimizer is named 'adam', did you mean `adamw`?",
        "6:39: schedule.factor: must be at most 1.0, got 2 [out-of-range]",
        "7:56: objective.discriminators[0].type: no discriminator is named 'pach', did you mean "
        "`patch`?",
        "7:77: objective.discriminators[1].num_layer: unknown field, did you mean 'num_layers'? "
        "[unknown-field]",
        "8:26: loss_schedule.mel_l1.from: unknown field; known: from_step, over_steps "
        "[unknown-field]",
        "9:26: data.corpus.cash_mib: unknown field, did you mean 'cache_mib'? [unknown-field]",
        "9:40: data.batch_frame: unknown field, did you mean 'batch_frames'? [unknown-field]",
    ]


WITH_DATA = "spec: quick\nsteps: 1\ndata: {corpus: {type: folder, path: /nowhere}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "loss_schedule:\n  mel_l2: {from_step: 3}\n",
            r":5:3: loss_schedule\.mel_l2: `quick` has no",
        ),
        (
            "objective: adversarial\noptimizer:\n  generatr: {type: muon}\n",
            r":6:3: optimizer\.generatr: no such stage, did you mean `generator`\? \[unknown-field",
        ),
        (
            "objective: adversarial\nschedule:\n  judge: {type: noam}\n",
            r":6:3: schedule\.judge: no such stage; the objective has discriminator, generator",
        ),
        ("optimizer: {model: {type: muon}}\n", r"no such stage; without an objective there is one"),
        ("optimizer: [muon]\n", r":4:12: optimizer: expected a mapping, got \[\"muon\"\]"),
        ("- x\n", "block"),
    ],
)
def test_what_the_model_has_no_use_for_is_refused_before_data_is_read(
    text: str, message: str, write: Callable[[str], Path]
) -> None:
    with pytest.raises(SpecError, match=message):
        options_of(ask(write(WITH_DATA + text)))


def test_a_list_is_no_recipe_and_a_file_must_be_there(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=r":1:1: a recipe is a mapping with keys such as 'spec'"):
        ask(write("- spec: quick\n"))
    with pytest.raises(FileNotFoundError, match=r"nothing\.yaml"):
        ask(tmp_path / "nothing.yaml")


def test_a_component_on_the_command_line_is_checked_like_one_of_the_file() -> None:
    with pytest.raises(
        SpecError,
        match=r"--optimizer \{type: adamw, beta: 1\}: optimizer\.beta: "
        r"unknown field, did you mean 'betas'",
    ):
        ask(components={"optimizer": "{type: adamw, beta: 1}"})
    with pytest.raises(SpecError, match="no schedule is named 'nom', did you mean `noam`"):
        ask(components={"schedule": "nom"})
    with pytest.raises(SpecError, match="--objective"):
        ask(components={"objective": "{type: ["})


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            "steps: 1\n",
            "Training needs a model: give a SPEC, `spec` in a `--recipe`, or `--from CHECKPOINT`",
        ),
        ("spec: quick\n", "Training needs data: `--data FOLDER`, or `data:"),
        (f"{WITH_DATA}lr: 0.1\noptimizer: {{type: adamw, lr: 0.2}}\n", "`lr` is 0.1, but nothing"),
        (
            f"{WITH_DATA}warmup: 3\noptimizer: muon\nschedule: {{type: noam, warmup_steps: 4}}\n",
            "`warmup` is 3, but nothing takes it: `noam` has its own or none",
        ),
        (f"{WITH_DATA}on_bad_step: hope\n", "`--on-bad-step` must be `stop` or `skip:N`"),
        (f"{WITH_DATA}lr: -1\n", "`lr` must be a number above 0, not -1"),
    ],
)
def test_what_is_missing_or_of_no_effect_is_said(
    recipe: str, message: str, write: Callable[[str], Path]
) -> None:
    with pytest.raises(ValueError, match=message):
        options_of(ask(write(recipe)))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (
            "steps: 3\nminutes: 4\n",
            "2:8: steps: `minutes` is given too, and a training has one end",
        ),
        ("set:\n  hidden_dimm: 32\n", "3:3: hidden_dimm: unknown field, did you mean 'hidden_dim'"),
        ("set: {seed..x: 3}\n", "2:7: set.seed..x: `seed..x` is not a dotted path"),
        ("freeze: [encoder, decodr]\n", "2:19: freeze[1]: `decodr` is no part of the model, did"),
        ('freeze: ["*"]\n', "2:9: freeze: * leaves nothing to train"),
        ("rate: {decodr: 0.5}\n", "2:16: rate.decodr: `decodr` is no part of the model, did you"),
        ("lr: 0.1\noptimizer: {type: adamw, lr: 0.2}\n", "2:5: lr: nothing takes it: `adamw` has"),
        ("on_bad_step: hope\n", "2:14: on_bad_step: must be `stop` or `skip:N` with N from 1 on"),
        ("lr: -1.0\n", "2:5: lr: must be a number above 0, not -1.0"),
    ],
)
def test_each_wrong_setting_of_a_recipe_has_its_line(
    recipe: str, said: str, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    end = "" if recipe.startswith("steps") else "steps: 1\n"
    file = write(f"spec: quick\n{recipe}{end}data: {{corpus: {{path: x}}}}\n")
    assert run("train", "--recipe", file, "--out", file.parent / "run") == 1
    assert capsys.readouterr().err.startswith(f"{file}:{said}")


def test_a_wrong_setting_of_the_command_line_is_said_by_its_option(
    write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write("spec: quick\nsteps: 1\ndata: {corpus: {path: x}}\n")
    assert run("train", "--recipe", file, "--freeze", "encodr", "--set", "hidden_dim=32") == 1
    assert capsys.readouterr().err.startswith("`--freeze encodr` is no part of the model, did you")
    assert run("train", "--recipe", file, "--set", "hidden_dimm=32") == 1
    assert capsys.readouterr().err.startswith("--set hidden_dimm=32: hidden_dimm: unknown field")


def test_an_optimizer_of_a_stage_may_be_a_bare_name(write: Callable[[str], Path]) -> None:
    objective = "objective: {type: adversarial, discriminators: [{type: patch}]}\n"
    text = "optimizer: {generator: muon, discriminator: {type: adamw, lr: 0.2}}\n"
    text += "schedule: {discriminator: constant}\n"
    settings = options_of(ask(write(WITH_DATA + objective + text))).settings
    assert settings.optimizers == {"generator": MuonParams(), "discriminator": AdamWParams(lr=0.2)}
    assert settings.schedules == {"discriminator": ConstantParams()}


def test_a_rate_and_a_warm_up_go_to_what_has_none_of_its_own(write: Callable[[str], Path]) -> None:
    text = (
        "lr: 0.1\nwarmup: 3\noptimizer: {type: adamw, weight_decay: 0.5}\nschedule: warmup_cosine\n"
    )
    settings = options_of(ask(write(WITH_DATA + text))).settings
    assert settings.optimizers == {EVERY_STAGE: AdamWParams(lr=0.1, weight_decay=0.5)}
    assert settings.schedules == {EVERY_STAGE: WarmupCosineParams(warmup_steps=3)}


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    return int(left.value.code or 0)


RUN = """
spec: quick
set:
  hidden_dim: 16
  encoder.ff_dim: 16
  decoder.ff_dim: 16
  encoder.num_layers: 1
  decoder.num_layers: 1
steps: 4
threads: 1
precision: "32"
device: cpu
save_every: 1
keep: 9
objective: {type: adversarial, discriminators: [{type: patch, channels: 2}], start: 1}
optimizer: {generator: {type: muon, lr: 2.0e-3}, discriminator: {type: adamw}}
loss_schedule: {mel_l1: {over_steps: 3}}
data: {corpus: {type: espeak, path: PATH, sentences: 6}, holdout: 2, batch_frames: 900}
"""


def test_a_training_goes_on_with_the_recipe_in_its_folder_alone(
    write: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write(RUN.replace("PATH", str(tmp_path / "corpus")))
    whole, other = tmp_path / "whole", tmp_path / "other"
    assert run("train", "--recipe", recipe, "--out", whole, "--seed", "5") == 0
    saved = YAML(typ="safe").load(whole / "recipe.yaml")
    assert saved == {**YAML(typ="safe").load(recipe), "seed": 5}
    ended = load_file(whole / "model.safetensors")
    (whole / "model.safetensors").unlink()
    for step in (3, 4):
        folder = whole / "steps" / f"step-{step:09d}"
        for file in [*folder.iterdir()]:
            file.unlink()
        folder.rmdir()
    assert run("train", "--resume", "--out", whole) == 0
    assert "Training goes on from" in capsys.readouterr().out
    assert YAML(typ="safe").load(whole / "recipe.yaml") == saved
    again = load_file(whole / "model.safetensors")
    assert run("train", "--recipe", whole / "recipe.yaml", "--out", other) == 0
    anew = load_file(other / "model.safetensors")
    assert all(torch.equal(each, again[name]) for name, each in ended.items())
    assert all(torch.equal(each, anew[name]) for name, each in ended.items())
    assert run("train", "--resume", "--out", other, "--objective", "null") == 1
    said = capsys.readouterr().err
    assert "no such stage; without an objective there is one, without a name" in said


def test_a_start_that_fails_leaves_no_recipe(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("train", "quick", "--data", tmp_path / "no", "--steps", "1", "--out", out) == 1
    assert not out.exists()
