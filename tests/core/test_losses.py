"""Masked losses against NumPy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.losses import duration_loss, mel_l1, mel_mse, stop_loss, stop_targets
from kokoro_core.masks import padding_mask_from_lengths

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
