"""Gradients of several batches are those of one large batch that holds all their rows."""

import dataclasses
import itertools
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_core.model import TrainingBatch
from kokoro_plugins.training.data.batching import PlannedBatch
from kokoro_plugins.training.data.collate import collate
from kokoro_plugins.training.data.data_module import AlignedSpeech, Batches, Collated
from kokoro_plugins.training.data.orders import StepOrder
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget


def double(batch):
    return dataclasses.replace(batch, mel_specs=batch.mel_specs.double())


def gradients(model):
    return {name: each.grad.clone() for name, each in model.named_parameters()}


@pytest.fixture
def model(small_spec):
    still = {"encoder.dropout": 0.0, "decoder.dropout": 0.0, "decoder.teacher_mask": 0.0}
    torch.manual_seed(0)
    return KokoroModel.from_spec(load_spec(small_spec, overrides=still)).double()


def batches_of_a_step(data, spec, accumulate, processes):
    """Return the batches of the first step, of all processes, and which utterances they hold."""
    planned: list[PlannedBatch] = []
    batches: list[TrainingBatch] = []
    for rank in range(processes):
        sizes = data.sizes[: len(data.training)]
        order = StepOrder(data._order, data.position, sizes, accumulate, rank, processes)
        loader = Batches(Collated(data.training, spec.audio, 0, sizes, {}), order)
        batches += itertools.islice(loader, accumulate)
        planned += itertools.islice(order, accumulate)
    return batches, [index for each in planned for index in each.indices]


@pytest.mark.parametrize(("accumulate", "processes"), [(4, 1), (2, 2), (1, 3)])
def test_accumulated_gradients_are_those_of_one_large_batch(
    model, small_spec, corpus, accumulate, processes
):
    data = AlignedSpeech(
        corpus=corpus, audio=small_spec.audio, pad_id=0, batch_frames=70, holdout=0
    )
    batches, indices = batches_of_a_step(data, small_spec, accumulate, processes)
    assert len({int(each.lengths.sum()) for each in batches}) > 1
    module = TrainingModule(model=model, budget=StepBudget(1))
    module._trainer = cast(
        "Any", SimpleNamespace(accumulate_grad_batches=accumulate, world_size=processes)
    )
    for index, batch in enumerate(batches):
        (module.training_step(double(batch), index) / (accumulate * processes)).backward()
    accumulated = gradients(model)
    model.zero_grad()
    whole = double(collate([corpus[index] for index in indices], small_spec.audio, 0))
    output = model(
        whole.phoneme_indices,
        whole.mel_specs,
        whole.durations,
        padding_mask=whole.padding_mask,
        mel_padding_mask=whole.mel_padding_mask,
    )
    output.loss.backward()
    for name, expected in gradients(model).items():
        torch.testing.assert_close(accumulated[name], expected, rtol=1e-9, atol=1e-12, msg=name)
    noted = [losses for _, losses in module._collector.batches]
    for name, expected in {"loss": output.loss, **output.losses}.items():
        mean = torch.stack([losses[name] for losses in noted]).mean()
        torch.testing.assert_close(mean, expected.detach(), rtol=1e-9, atol=0, msg=name)
