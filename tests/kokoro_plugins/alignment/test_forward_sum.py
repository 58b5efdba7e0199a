"""The learned aligner's losses against sums over every alignment, and its prior against SciPy."""

from __future__ import annotations

import math
from itertools import groupby, product

import pytest
import torch
from scipy.stats import betabinom
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kokoro_core import load_spec
from kokoro_core.cost.estimate import Workload, cost
from kokoro_plugins.alignment.beta_binomial import log_beta_binomial
from kokoro_plugins.alignment.forward_sum import (
    BLANK,
    ForwardSum,
    binarisation_loss,
    forward_sum_loss,
)


def by_every_path(scores: Tensor, phonemes: int, frames: int) -> float:
    """Return minus the log of the sum over all sequences that read as the phonemes in order."""
    blank = torch.full((frames, 1), BLANK, dtype=torch.float64)
    rows = torch.cat([blank, scores[:frames, :phonemes]], 1)
    probability = rows.softmax(1)
    wanted = list(range(1, phonemes + 1))
    summed = 0.0
    for path in product(range(phonemes + 1), repeat=frames):
        if [each for each, _ in groupby(path) if each] == wanted:
            summed += math.prod(float(probability[t, each]) for t, each in enumerate(path))
    return -math.log(summed)


@pytest.mark.parametrize(("phonemes", "frames"), [(1, 1), (1, 3), (2, 4), (3, 5), (3, 3)])
def test_the_loss_is_that_of_all_alignments_together(phonemes: int, frames: int) -> None:
    scores = torch.randn(1, frames, phonemes, dtype=torch.float64)
    found = forward_sum_loss(scores, torch.tensor([phonemes]), torch.tensor([frames]))
    assert float(found) == pytest.approx(by_every_path(scores[0], phonemes, frames) / phonemes)


def test_rows_of_a_batch_add_up_whatever_the_padding() -> None:
    scores = torch.randn(2, 5, 3, dtype=torch.float64)
    scores[1, :, 2] = -torch.inf
    scores.requires_grad_()
    loss = forward_sum_loss(scores, torch.tensor([3, 2]), torch.tensor([5, 4]))
    rows = by_every_path(scores[0].detach(), 3, 5) / 3, by_every_path(scores[1].detach(), 2, 4) / 2
    assert loss.item() == pytest.approx(sum(rows) / 2)
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert not scores.grad[1, 4:].any()


@pytest.mark.parametrize(("phonemes", "frames"), [(1, 1), (1, 5), (4, 9), (30, 60)])
def test_the_prior_is_scipys_beta_binomial(phonemes: int, frames: int) -> None:
    t = torch.arange(1, frames + 1).unsqueeze(1).numpy()
    wanted = betabinom.logpmf(range(phonemes), phonemes - 1, t, frames - t + 1)
    found = log_beta_binomial(phonemes, frames)
    torch.testing.assert_close(found, torch.from_numpy(wanted), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(frames, dtype=torch.float64))


def test_binarisation_is_the_mean_log_probability_of_the_chosen_phonemes() -> None:
    log_soft = torch.randn(1, 3, 2, dtype=torch.float64).log_softmax(2)
    mask = torch.zeros(1, 3, dtype=torch.bool)
    found = binarisation_loss(log_soft, torch.tensor([[1, 2]]), mask)
    chosen = log_soft[0, 0, 0] + log_soft[0, 1, 1] + log_soft[0, 2, 1]
    torch.testing.assert_close(found, -chosen / 3)


def test_a_row_is_aligned_alone_as_in_a_batch() -> None:
    torch.manual_seed(0)
    aligner = ForwardSum(hidden_dim=8, mel_dim=5, channels=6, temperature=0.5).double()
    hidden, mels = torch.randn(2, 4, 8).double(), torch.randn(2, 9, 5).double()
    mask = torch.tensor([[False] * 4, [False, False, True, True]])
    mel_mask = torch.arange(9) >= torch.tensor([[9], [6]])
    both = aligner(hidden, mask, mels, mel_mask)
    alone = aligner(hidden[1:, :2], mask[1:, :2], mels[1:, :6], mel_mask[1:, :6])
    assert torch.equal(both.durations[1, :2], alone.durations[0])
    assert both.durations.sum(1).tolist() == [9, 6]
    assert not both.durations[1, 2:].any()
    assert both.soft is not None
    torch.testing.assert_close(both.soft[1:, :6, :2], alone.soft, atol=1e-12, rtol=0)
    assert not both.soft[1, 6:].any()
    assert not both.soft[1, :, 2:].any()


def test_it_learns_where_the_phonemes_of_a_synthetic_mel_begin() -> None:
    torch.manual_seed(0)
    aligner = ForwardSum(hidden_dim=16, mel_dim=8, channels=16, temperature=0.1)
    optimizer = torch.optim.Adam(aligner.parameters(), lr=1e-2)
    embedding, means = torch.randn(10, 16), torch.randn(10, 8)
    for _ in range(150):
        phonemes, durations = torch.randint(0, 10, (8, 8)), torch.randint(2, 9, (8, 8))
        rows = zip(phonemes, durations, strict=True)
        mels = pad_sequence([means[torch.repeat_interleave(*row)] for row in rows], True)
        mel_mask = torch.arange(mels.shape[1]) >= durations.sum(1, keepdim=True)
        mels = mels + 0.1 * torch.randn_like(mels)
        mask = torch.zeros_like(phonemes, dtype=torch.bool)
        made = aligner(embedding[phonemes], mask, mels, mel_mask)
        optimizer.zero_grad()
        made.losses["forward_sum"].backward()
        optimizer.step()
    boundaries, even = (each.cumsum(1)[:, :-1] for each in (durations, durations * 0 + 5))
    assert (made.durations.cumsum(1)[:, :-1] - boundaries).abs().float().mean() < 0.5
    assert (even - boundaries).abs().float().mean() > 1.5  # an even split is not as good


def test_what_a_model_with_a_learned_alignment_costs_is_counted() -> None:
    spec = load_spec("voice", overrides={"aligner.type": "forward_sum"})
    found = cost(spec, Workload(rows=1, phonemes=4, frames=20))
    assert found["multiply_adds_per_frame"]["slots"]["aligner"] > 0
    assert found["training_memory"]["activations"]["slots"]["aligner"] > 0
