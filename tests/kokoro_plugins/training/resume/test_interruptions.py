"""T1: trainings that are interrupted anywhere end as if they had not been, to the bit."""

import itertools
import json
import os

import pytest
from safetensors.torch import load_file

from tests.kokoro_plugins.training.jobs import ACCUMULATE, STEPS, tiny_data
from tests.kokoro_plugins.training.resume.saved import (
    differences,
    same,
    steps_in,
    validation_is_due,
)

PLACES = [
    {"where": "batch", "step": 1, "batch": 0},
    {"where": "batch", "step": 2, "batch": 1},
    {"where": "batch", "step": 3, "batch": 1},  # the first batch of the second epoch
    {"where": "validation", "step": 3, "batch": 0},
    {"where": "save", "step": 4},
    {"where": "batch", "step": 5, "batch": 0},
    {"where": "validation", "step": 6, "batch": 1},
    {"where": "batch", "step": 8, "batch": 1},
    {"where": "validation", "step": 8, "batch": 0},
]
"""Where each of a training's interruptions happens, in order: the middle of an accumulation and
its start, the edge of an epoch inside of an accumulation, evaluations, a save."""

STATUS = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9, "error": 1}

RELEASE = os.environ.get("KOKORO_FAULTS") == "release"
"""The release size interrupts trainings with several seeds and intervals of saving."""

VARIANTS = [(seed, every) for seed in range(5) for every in (1, 2, 3)] if RELEASE else [(0, 2)]


def test_the_places_are_what_they_say():
    epoch = tiny_data()._order.epoch(0)
    assert len(epoch) == 2 * ACCUMULATE + 1
    assert {len(batch) for batch in epoch} == {1, 2}
    assert len(list(tiny_data().val_dataloader())) == 2


def test_an_uninterrupted_training_is_what_interruptions_are_compared_with(uninterrupted):
    folders = steps_in(uninterrupted("32"))
    assert list(folders) == list(range(1, STEPS + 1))
    log = load_file(folders[STEPS] / "training.safetensors")
    assert log["state.callbacks.History.training.step"].tolist() == list(range(1, STEPS + 1))
    assert log["state.callbacks.History.validation.step"].tolist() == [3, 6, 8]
    for sooner, later in ((1, 2), (4, 5), (7, 8)):
        changed = differences(folders[sooner], folders[later])
        for part in ("model.safetensors: acoustic", "exp_avg_sq", "RandomStates.torch", "History"):
            assert any(part.removeprefix("model.safetensors: acoustic") in each for each in changed)
    assert differences(folders[4], uninterrupted("bf16") / folders[4].name)


@pytest.mark.parametrize(("seed", "every"), VARIANTS)
@pytest.mark.parametrize(
    ("what", "workers", "precision"),
    [
        ("error", 0, "32"),
        *itertools.product(["SIGINT", "SIGTERM", "SIGKILL"], [0, 2], ["32", "bf16"]),
    ],
)
def test_nine_interruptions_leave_weights_optimizer_random_states_and_log_as_they_would_be(
    what, workers, precision, seed, every, fork_server, uninterrupted, tmp_path
):
    options = {"out": str(tmp_path / "run"), "workers": workers, "precision": precision}
    options |= {"every": every, "seed": seed}
    for number, place in enumerate(PLACES):
        ended = fork_server.run(
            "train", **options, resume=number > 0, event={**place, "what": what}
        )
        assert ended.status == STATUS[what], (place, ended)
    ended = fork_server.run("train", **options, resume=True)
    assert ended.status == 0, ended
    expected = steps_in(uninterrupted(precision, seed))
    saved = steps_in(tmp_path / "run")
    assert max(saved) == STEPS
    assert len(saved) >= STEPS // every
    for step, folder in saved.items():
        due = validation_is_due(folder)
        assert differences(folder, expected[step], before_validation=due) == [], step
    assert results_of(tmp_path) == results_of(uninterrupted(precision, seed).parent)


def results_of(folder):
    """Return the losses of a training that has ended, without times, and its weights."""
    log = json.loads((folder / "losses.json").read_text("utf-8"))
    losses = {
        kind: [{**entry, "seconds": None} for entry in log[kind]]
        for kind in ("training", "validation")
    }
    assert [entry["step"] for entry in losses["validation"]] == [3, 6, 8]
    weights = load_file(folder / "model.safetensors")
    return losses, {name: each.numpy().tobytes() for name, each in weights.items()}


def test_the_comparison_sees_one_bit(uninterrupted):
    weights = load_file(steps_in(uninterrupted("32"))[1] / "model.safetensors")
    name, tensor = next(iter(weights.items()))
    changed = tensor.clone()
    changed.view(-1)[0] = changed.view(-1)[0].nextafter(changed.view(-1)[0] + 1)
    assert not same(tensor, changed)
    assert same(tensor, tensor.clone()), name
