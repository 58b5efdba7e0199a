"""T3: signals save the last finished step and end with their status; a second one ends at once."""

import itertools
import os
import signal
import threading

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_plugins.training.fit import fit
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.resume.resuming import TrainingStopped
from kokoro_plugins.training.settings import Saving, TrainingSettings
from kokoro_plugins.training.signals import StopSignals, ignore_stop_signals, stop_signals
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data
from tests.kokoro_plugins.training.resume.saved import differences, steps_in, validation_is_due

STATUS = {"SIGTERM": 143, "SIGINT": 130, "SIGUSR1": 138, "SIGHUP": 129}

PLACES = {
    "first batch": ({"where": "batch", "step": 1, "batch": 0}, 1),
    "middle of an accumulation": ({"where": "batch", "step": 5, "batch": 1}, 5),
    "last batch": ({"where": "batch", "step": 8, "batch": 1}, 8),
    "validation": ({"where": "validation", "step": 3, "batch": 1}, 3),
    "save": ({"where": "save", "step": 4}, 4),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", STATUS)
def test_a_signal_saves_the_last_finished_step_and_is_the_exit_status(
    name, place, workers, fork_server, uninterrupted, tmp_path
):
    event, step = PLACES[place]
    out = tmp_path / "run"
    ended = fork_server.run(
        "train", out=str(out), every=4, workers=workers, event={**event, "what": name}
    )
    assert ended.status == STATUS[name], ended
    assert f"{name} ended the training: step {step} is saved" in ended.said
    newest = steps_in(out)[step]
    assert step == max(steps_in(out))
    expected = uninterrupted("32") / newest.name
    assert differences(newest, expected, before_validation=validation_is_due(newest)) == []


@pytest.mark.parametrize("place", ["middle of an accumulation", "validation", "save"])
@pytest.mark.parametrize("names", ["SIGTERM+SIGTERM", "SIGINT+SIGINT", "SIGUSR1+SIGTERM"])
def test_a_second_signal_ends_the_process_at_once(names, place, fork_server, tmp_path):
    out = tmp_path / "run"
    event, step = PLACES[place]
    ended = fork_server.run("train", out=str(out), every=1, event={**event, "what": names})
    assert ended.status == -signal.Signals[names.partition("+")[2]], ended
    assert max(steps_in(out)) == step - 1
    assert fork_server.run("train", out=str(out), every=1, resume=True).status == 0
    assert max(steps_in(out)) == 8


@pytest.mark.parametrize(
    ("name", "milliseconds"), list(itertools.product(["SIGTERM", "SIGINT"], [150, 400]))
)
def test_a_signal_from_outside_at_any_time_leaves_what_can_be_gone_on_from(
    name, milliseconds, fork_server, uninterrupted, tmp_path
):
    out = tmp_path / "run"
    after = {"seconds": milliseconds / 1000, "signals": [name]}
    ended = fork_server.run("train", out=str(out), every=3, signal_after=after)
    before_training = -signal.Signals[name]
    assert ended.status in (STATUS[name], before_training, 0, 1), ended
    again = fork_server.run("train", out=str(out), every=3, resume=True)
    assert again.status == 0, again
    last = steps_in(out)[8]
    due = validation_is_due(last)
    assert differences(last, uninterrupted("32") / last.name, before_validation=due) == []


def test_a_stop_before_a_validation_that_was_due_waits_for_it(fork_server, uninterrupted, tmp_path):
    out = tmp_path / "run"
    event = {"where": "validation", "step": 3, "what": "SIGTERM"}
    for _ in range(2):
        ended = fork_server.run("train", out=str(out), resume=True, every=4, event=event)
        assert ended.status == 143, ended
    assert "nothing was to be saved" in ended.said
    assert list(steps_in(out)) == [3]
    assert fork_server.run("train", out=str(out), resume=True, every=4).status == 0
    last = steps_in(out)[8]
    assert differences(last, uninterrupted("32") / last.name) == []


def test_a_training_that_is_stopped_leaves_the_average_of_its_weights(tmp_path, monkeypatch):
    model = KokoroModel.from_spec(SPEC)
    update = TrainingModule.optimizer_step
    averages = []

    def stopped_update(module, *arguments):
        update(module, *arguments)
        averages.append([each.clone() for each in module._average.state_dict()["average"]])
        if len(averages) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(TrainingModule, "optimizer_step", stopped_update)
    settings = TrainingSettings(device="cpu", precision="32", average=0.9)
    with pytest.raises(TrainingStopped, match="step 2 is saved"):
        fit(model, tiny_data(), StepBudget(4), settings, saving=Saving(tmp_path / "steps"))
    assert not model.training
    assert all(map(torch.equal, model.parameters(), averages[1]))


def test_handlers_are_given_back_and_ignored_signals_stay_ignored():
    before = {each: signal.getsignal(each) for each in stop_signals()}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
            assert signals.status == 0
            os.kill(os.getpid(), signal.SIGUSR1)
            assert signals.received is signal.SIGUSR1
            assert signals.status == 138
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            signals.listen()
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])
    assert {each: signal.getsignal(each) for each in stop_signals()} == before


def test_signals_are_taken_back_from_who_took_them():
    with StopSignals() as signals:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signals.listen()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received is signal.SIGTERM


def test_workers_ignore_what_their_parent_heeds():
    before = {each: signal.getsignal(each) for each in stop_signals()}
    try:
        ignore_stop_signals()
        assert {signal.getsignal(each) for each in stop_signals()} == {signal.SIG_IGN}
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_signals_in_a_thread_are_refused():
    refused = []

    def watch():
        try:
            StopSignals().__enter__()
        except ValueError as error:
            refused.append(str(error))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert refused == [
        "Signals can be watched from the main thread alone; train there, or without saving."
    ]
