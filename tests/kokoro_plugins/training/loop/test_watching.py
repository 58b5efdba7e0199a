"""What a training says while it runs, on a terminal and without one, and what a crash leaves."""

import io
import json
import types
from typing import Any

import pytest
from rich.console import Console

from kokoro_core import KokoroModel
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History, LossEntry
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.progress_bar import ProgressLine
from kokoro_plugins.training.loop.progress_lines import ProgressLines, in_words
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.pictures import draw_losses
from kokoro_plugins.training.settings import Saving, TrainingSettings
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data

NONE = StepFigures(losses={}, gradient_norm=0.0, frames=0, stop=False)
"""Figures that nobody looks at."""

CPU = TrainingSettings(device="cpu", precision="32", warmup_steps=2, validate_every=3)


class Lines(io.StringIO):
    """A file that notes what of it was flushed."""

    def __init__(self):
        super().__init__()
        self.flushed = ""

    def flush(self):
        self.flushed = self.getvalue()


def watched(seconds_a_step, steps=40):
    """Return the lines of a training of so many steps and seconds a step, by when they came."""
    now = [0.0]
    file = Lines()
    history, budget = History(), StepBudget(steps)
    lines = ProgressLines(history=history, console=Console(file=file), clock=lambda: now[0])
    group = {"lr": 1e-3}
    trainer: Any = types.SimpleNamespace(
        is_global_zero=True, optimizers=[types.SimpleNamespace(param_groups=[group])]
    )
    module = TrainingModule(model=KokoroModel.from_spec(SPEC), budget=budget)
    module.trainer = trainer
    lines.on_start(module)
    came = {}
    for step in range(1, steps + 1):
        now[0] += seconds_a_step
        history.training.append(LossEntry(step, now[0], {"loss": 1.5, "nll": -0.25}))
        before = len(file.flushed)
        lines.on_step(module, NONE)
        if len(file.flushed) > before:
            came[now[0]] = file.flushed[before:]
    lines.on_end(module)
    return came, file.flushed.splitlines()


def test_without_a_terminal_lines_come_after_ten_seconds_and_once_a_minute_at_last():
    came, lines = watched(5.0, steps=100)
    assert list(came) == [10, 30, 60, 100, 150, 210, 270, 330, 390, 450]
    assert len(lines) == len(came) + 1


def test_a_line_says_step_every_loss_rate_and_time_left():
    came, lines = watched(5.0)
    assert came[10.0] == (
        "5 % · step 2 · loss 1.500 (nll -0.250) · rate 1.00e-03 · 0 frames/s · 3:10 left\n"
    )
    assert lines[-1].startswith("100 % · step 40 · ")
    assert "left" not in lines[-1]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")]
)
def test_times_are_in_hours_minutes_and_seconds(seconds, words):
    assert in_words(seconds) == words


def test_a_components_own_loss_is_shown_on_a_terminal_too():
    history = History()
    history.training.append(LossEntry(1, 0.5, {"loss": 1.0, "mel_l1": 0.5, "nll": -0.25}))
    line = ProgressLine(history=history, console=Console(file=io.StringIO()))
    assert "nll -0.250" in line.figures()
    assert "mel_l1" not in line.figures()


def test_losses_of_any_sign_and_from_any_step_on_are_drawn(tmp_path):
    history = History()
    history.training = [
        LossEntry(1, 0.1, {"loss": 1.0}),
        LossEntry(2, 0.2, {"loss": 0.5, "nll": -3.0}),
    ]
    history.validation = [LossEntry(2, 0.2, {"loss": 0.5, "nll": -2.0, "late": 0.5})]
    draw_losses(tmp_path / "losses.png", history)
    assert (tmp_path / "losses.png").stat().st_size > 1000


def begin(out, *, steps=6, resume=False):
    seed_everything(0)
    saving = Saving(out / "steps", every=2, resume=resume, losses=out / "losses.jsonl")
    model = KokoroModel.from_spec(SPEC)
    return fit(model, tiny_data(), StepBudget(steps), CPU, saving=saving)


def read_log(out):
    lines = (out / "losses.jsonl").read_text("utf-8").splitlines()
    found: dict[str, list[Any]] = {"training": [], "validation": [], "skipped": []}
    for line in map(json.loads, lines):
        found[line.pop("kind")].append(line)
    return found


def test_losses_are_in_their_file_when_their_step_has_ended(tmp_path, monkeypatch):
    seen = []
    start = TrainingModule.on_train_batch_start

    def looking(module, batch, index):
        file = tmp_path / "losses.jsonl"
        seen.append(len(file.read_text().splitlines()) if file.exists() else None)
        return start(module, batch, index)

    monkeypatch.setattr(TrainingModule, "on_train_batch_start", looking)
    history = begin(tmp_path, steps=4)
    assert seen == [None, 1, 2, 4]  # the third step has a validation
    log = read_log(tmp_path)
    assert log["training"] == [vars(each) for each in history.training]
    assert log["validation"] == [vars(each) for each in history.validation]


def test_a_crash_keeps_the_losses_and_a_training_that_goes_on_has_each_step_once(
    tmp_path, monkeypatch
):
    step = TrainingModule.training_step
    with monkeypatch.context() as patch:
        patch.setattr(
            TrainingModule,
            "training_step",
            lambda module, *rest: 1 / 0 if module.step == 3 else step(module, *rest),
        )
        with pytest.raises(ZeroDivisionError):
            begin(tmp_path)
    assert [each["step"] for each in read_log(tmp_path)["training"]] == [1, 2, 3]
    begin(tmp_path, resume=True)
    log = read_log(tmp_path)
    assert [each["step"] for each in log["training"]] == [1, 2, 3, 4, 5, 6]
    assert [each["step"] for each in log["validation"]] == [3, 6]
