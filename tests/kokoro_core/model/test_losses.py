"""Masked losses against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.model.losses import (
    duration_loss,
    mel_l1,
    mel_mse,
    stop_loss,
    stop_targets,
    training_losses,
    weigh,
)
from kokoro_core.spec.tree.model_spec import LossWeights
from kokoro_core.tensors.masks import padding_mask_from_lengths
from tests.kokoro_core.contracts.test_answers import changed, train
from tests.kokoro_core.test_hard_cases import model

lengths = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def batch(rows: list[int], extra: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return prediction and target with NaN at padding, and the mask."""
    num = max(rows) + extra
    mask = padding_mask_from_lengths(torch.tensor(rows), num)
    generator = torch.Generator().manual_seed(sum(rows) + extra)
    prediction, target = torch.randn(2, len(rows), num, 3, generator=generator, dtype=torch.float64)
    target = target.masked_fill(mask.unsqueeze(-1), float("nan"))
    return prediction, target, mask


@given(rows=lengths, extra=st.integers(0, 2))
@example(rows=[1], extra=0)
def test_mel_losses_are_means_over_valid_values(rows: list[int], extra: int) -> None:
    prediction, target, mask = batch(rows, extra)
    differences = np.concatenate(
        [(prediction - target)[row, :length].numpy().ravel() for row, length in enumerate(rows)]
    )
    assert np.isclose(mel_l1(prediction, target, mask).item(), np.abs(differences).mean())
    assert np.isclose(mel_mse(prediction, target, mask).item(), np.square(differences).mean())


@given(rows=lengths, extra=st.integers(0, 2))
def test_the_duration_loss_is_on_the_natural_log_of_frames_plus_one(
    rows: list[int], extra: int
) -> None:
    prediction, _, mask = batch(rows, extra)
    durations = torch.arange(mask.numel()).view(mask.shape)
    expected = [
        (prediction[row, n, 0].item() - np.log(durations[row, n].item() + 1)) ** 2
        for row, length in enumerate(rows)
        for n in range(length)
    ]
    found = duration_loss(prediction[..., 0], durations, mask).item()
    assert np.isclose(found, np.mean(expected), rtol=1e-12)


def test_the_stop_target_is_one_at_the_last_frame_alone() -> None:
    mask = padding_mask_from_lengths(torch.tensor([1, 3]), 4)
    assert stop_targets(mask).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


@given(rows=lengths, weight=st.floats(0.5, 20))
def test_the_stop_loss_weighs_the_last_frame(rows: list[int], weight: float) -> None:
    prediction, _, mask = batch(rows, 1)
    logits = prediction[..., 0]
    each = []
    for row, length in enumerate(rows):
        probability = 1 / (1 + np.exp(-logits[row, :length].numpy()))
        each += [*-np.log(1 - probability[:-1]), -weight * np.log(probability[-1])]
    found = stop_loss(logits, stop_targets(mask), mask, positive_weight=weight).item()
    assert np.isclose(found, np.mean(each), rtol=1e-5)


def test_no_gradient_reaches_a_prediction_at_padding() -> None:
    prediction, target, mask = batch([2, 4], 1)
    prediction.requires_grad_()
    mel_l1(prediction, target, mask).backward()
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()
    assert (prediction.grad[mask] == 0).all()
    assert (prediction.grad[~mask] != 0).all()


def with_own(**losses: dict[str, float]) -> Any:
    """Return what a model with these own losses, by slot, is trained with."""
    tts = model(decoder={"type": "lstm_cell"})
    for slot, own in losses.items():
        found = {name: torch.tensor(value, dtype=torch.float64) for name, value in own.items()}
        changed(tts, slot, "forward", adding(found))
    return train(tts)


def adding(losses: dict[str, torch.Tensor]) -> Callable[[Any], Any]:
    from dataclasses import replace

    return lambda output: replace(output, losses=losses)


@pytest.mark.parametrize("name", ["copy", "json", "stop_positive_weight", "stop_coarse", "fields"])
def test_an_own_loss_counts_once_whatever_it_is_called(name: str) -> None:
    output = with_own(decoder={name: 3.0}, duration_predictor={"nll": 5.0})
    assert set(output.losses) == {name, "nll", "stop"}
    assert output.loss.item() == pytest.approx(8.0 + output.losses["stop"].item())


def test_two_parts_with_a_loss_of_one_name_are_refused() -> None:
    message = (
        "`decoder` and `duration_predictor` both return a loss `nll`; each needs a name of its "
        "own, such as `decoder_nll` and `duration_predictor_nll`"
    )
    with pytest.raises(ValueError, match=message):
        with_own(decoder={"nll": 3.0}, duration_predictor={"nll": 5.0})


@pytest.mark.parametrize(
    ("slot", "name"),
    [("decoder", "stop"), ("decoder", "duration"), ("duration_predictor", "mel_l1"),
     ("decoder", "loss"), ("duration_predictor", "loss")],
)  # fmt: skip
def test_an_own_loss_with_the_name_of_one_that_the_model_makes_is_refused(
    slot: str, name: str
) -> None:
    with pytest.raises(ValueError, match=f"`{name}` is a loss of the {slot}'s own and one that"):
        with_own(**{slot: {name: 3.0}})


def test_an_own_loss_may_take_the_name_and_the_weight_of_the_one_that_it_replaces() -> None:
    losses = {"mel_l1": torch.tensor(3.0), "duration": torch.tensor(5.0)}
    weights = LossWeights(mel_l1=2.0, duration=0.5)
    assert weigh(losses, weights).item() == 8.5


def test_a_model_with_nothing_to_learn_is_refused() -> None:
    from kokoro_core.model import TrainingBatch
    from kokoro_core.model.acoustic import Prediction

    mel, mask = torch.zeros(1, 2, 5), torch.zeros(1, 2, dtype=torch.bool)
    batch = TrainingBatch(
        phoneme_indices=torch.ones(1, 2, dtype=torch.int64),
        padding_mask=mask,
        mel_specs=mel,
        mel_padding_mask=mask,
    )
    with pytest.raises(ValueError, match="`loss` leaves nothing to learn from: every weight is 0"):
        training_losses(Prediction(mel, None, None, None), batch, LossWeights(mel_l1=0.0))
