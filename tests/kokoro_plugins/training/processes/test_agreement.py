"""What processes compare, and how they share what is held out."""

import itertools

import pytest
import torch

from kokoro_core import load_spec
from kokoro_plugins.training.loop.bad_steps import of_any_process
from kokoro_plugins.training.loop.idle import idle_parameters
from kokoro_plugins.training.loop.schedule import TimeBudget
from kokoro_plugins.training.loop.trainer import keeps_count
from kokoro_plugins.training.loop.validation import added
from kokoro_plugins.training.processes.agreement import (
    ProcessesDisagree,
    refuse_different,
    unequal,
)
from kokoro_plugins.training.processes.one_voice import is_loss
from kokoro_plugins.training.settings import TrainingSettings
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data


def test_what_differs_is_said_with_both_values_once():
    found = [{"data": "a", "goes on from": "step-000000500"}, {"data": "a"}, {"data": "b"}]
    assert unequal(found) == [
        "`goes on from` is step-000000500 in process 0 and nothing in process 1",
        "`data` is a in process 0 and b in process 2",
    ]
    with pytest.raises(ProcessesDisagree, match="The 3 processes would not train the same"):
        refuse_different(found)
    refuse_different([{"data": "a"}] * 3)


def test_many_differences_are_counted():
    with pytest.raises(ProcessesDisagree, match="- and 2 more"):
        refuse_different([{str(n): 0 for n in range(10)}, {str(n): 1 for n in range(10)}])


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_every_batch_that_is_held_out_is_looked_at_by_one_process(processes):
    data = tiny_data(holdout=7)
    shares = [
        [batch.lengths.tolist() for batch in data.val_share(rank, processes)]
        for rank in range(processes)
    ]
    whole = [batch.lengths.tolist() for batch in data.val_dataloader()]
    assert len(whole) == 4
    in_turns = [each for row in itertools.zip_longest(*shares) for each in row if each is not None]
    assert in_turns == whole


def test_sums_are_added_up_where_a_process_has_none():
    one, two = {"mel": 1.5, "stop": 2.0}, {"mel": 0.25}
    assert added([one, two, {}]) == {"mel": 1.75, "stop": 2.0}
    assert list(added([{}, one])) == ["mel", "stop"]


def test_a_clock_that_is_told_stands_still_until_it_is_told_again():
    now = [0.0]
    budget = TimeBudget(1, clock=lambda: now[0])
    budget.start(6.0)
    budget.told(6.0)
    now[0] = 30.0
    assert budget.progress(0, 0) == pytest.approx(0.1)
    assert budget.seconds == 36.0  # what the first process tells
    budget.told(36.0)
    assert budget.progress(0, 0) == pytest.approx(0.6)
    budget.start()
    now[0] = 60.0
    assert budget.progress(0, 0) == pytest.approx(0.5)


def test_the_bad_tensor_is_that_of_the_process_where_it_was_bad_first():
    gradient = "gradient of `decoder.out.weight`"
    assert of_any_process([gradient, "loss term `stop`"]) == "loss term `stop` of process 1"
    assert of_any_process([gradient, gradient]) == f"{gradient} of process 0"
    assert of_any_process([None, None]) is None
    assert of_any_process([gradient]) == gradient


def test_parameters_that_no_loss_reaches_are_found_without_computing():
    assert idle_parameters(SPEC) == []
    without_mel = load_spec(SPEC, overrides={"loss.mel_l1": 0.0})
    assert idle_parameters(without_mel) == ["decoder.mel_out.weight", "decoder.mel_out.bias"]


def test_only_models_that_keep_count_have_their_buffers_sent_around():
    counting = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    table = torch.nn.Linear(2, 2)
    table.register_buffer("positions", torch.zeros(9, 2), persistent=False)
    assert keeps_count(counting)
    assert not keeps_count(table)


def test_the_end_of_another_process_is_told_from_other_errors():
    assert is_loss(RuntimeError("[pair.cc:553] Connection closed by peer [127.0.0.1]:41234"))
    assert not is_loss(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_loss(ValueError("Connection closed by peer"))


def test_several_machines_are_refused_with_an_objective_and_counted_without():
    assert TrainingSettings(nodes=8, devices=8).processes == 64
    with pytest.raises(ValueError, match="`nodes` must be 1 or more, not 0"):
        TrainingSettings(nodes=0)
