"""Search under a prior: the likeliest path, the loss of its likelihood, and a whole model."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.stats import betabinom
from torch.distributions import Normal

from kokoro_core import KokoroModel
from kokoro_core.contracts import Latents
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.alignment.params import PriorSearchParams
from kokoro_plugins.alignment.prior_search import PriorSearch
from tests.kokoro_plugins.alignment.test_search import paths

MODEL: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 5,
    "hidden_dim": 8,
    "encoder": {
        "type": "transformer",
        "num_layers": 1,
        "num_heads": 2,
        "ff_dim": 8,
        "dropout": 0.0,
    },
    "duration_predictor": {"type": "mlp", "dropout": 0.0},
    "regulator": {"type": "repeat"},
    "decoder": {
        "type": "transformer",
        "num_layers": 1,
        "num_heads": 2,
        "ff_dim": 8,
        "dropout": 0.0,
    },
}


def test_means_that_are_0_are_aligned_along_the_diagonal() -> None:
    aligner = PriorSearch(hidden_dim=3, mel_dim=5, diagonal=1.0)
    mask = torch.tensor([[False] * 4, [False, False, True, True]])
    mel_mask = torch.arange(12) >= torch.tensor([[12], [7]])
    made = aligner(torch.randn(2, 4, 3), mask, torch.randn(2, 12, 5), mel_mask)
    for row, (phonemes, frames) in enumerate([(4, 12), (2, 7)]):

        def favoured(durations: list[int], phonemes: int = phonemes, frames: int = frames) -> float:
            index = [place for place, last in enumerate(durations) for _ in range(last)]
            return sum(
                float(betabinom.logpmf(place, phonemes - 1, at, frames - at + 1))
                for at, place in enumerate(index, start=1)
            )

        best = max(paths(phonemes, frames), key=favoured)
        assert made.durations[row, :phonemes].tolist() == best
    assert made.durations.tolist() == [[3, 3, 3, 3], [3, 4, 0, 0]]


def test_the_weight_of_the_diagonal_decides_against_the_likelihood() -> None:
    mu = torch.tensor([[[1.0], [-1.0]]])
    mels = torch.tensor([[[1.0]] * 5 + [[-1.0]]])
    masks = torch.zeros(1, 2, dtype=torch.bool), torch.zeros(1, 6, dtype=torch.bool)
    found = []
    for weight in (0.0, 0.1, 100.0):
        aligner = PriorSearch(hidden_dim=3, mel_dim=1, prior="mu", diagonal=weight)
        made = aligner(torch.zeros(1, 2, 3), masks[0], mels, masks[1], mu=mu)
        found.append(made.durations[0].tolist())
    assert found == [[5, 1], [5, 1], [3, 3]]


def test_the_path_is_the_likeliest_and_the_loss_its_negative_log_likelihood() -> None:
    torch.manual_seed(0)
    aligner = PriorSearch(hidden_dim=3, mel_dim=5, prior="mu")
    mu, mels = torch.randn(2, 3, 5).double(), torch.randn(2, 6, 5).double()
    mask = torch.tensor([[False] * 3, [False, False, True]])
    mel_mask = torch.arange(6) >= torch.tensor([[6], [4]])
    made = aligner(torch.zeros(2, 3, 3), mask, mels, mel_mask, mu=mu)
    summed = 0.0
    for row, (phonemes, frames) in enumerate([(3, 6), (2, 4)]):

        def likelihood(durations: list[int], row: int = row, frames: int = frames) -> float:
            means = torch.repeat_interleave(
                mu[row, : len(durations)], torch.tensor(durations), dim=0
            )
            return float(Normal(means, 1.0).log_prob(mels[row, :frames]).sum())

        best = max(paths(phonemes, frames), key=likelihood)
        assert made.durations[row, :phonemes].tolist() == best
        summed -= likelihood(best)
    assert float(made.losses["prior"]) == pytest.approx(summed / (10 * 5), rel=1e-12)


@pytest.mark.parametrize("reads", ["mel", "latents"])
def test_deviations_weigh_the_channels_of_the_mel_or_of_the_latents(reads: Any) -> None:
    torch.manual_seed(0)
    aligner = PriorSearch(hidden_dim=3, mel_dim=5, prior="mu", log_scale="log_sigma", reads=reads)
    mu, log_sigma, frames = torch.randn(3, 1, 6, 5).double()
    mu, log_sigma = mu[:, :3], log_sigma[:, :3]
    none, mel_none = torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1, 6, dtype=torch.bool)
    latents = Latents(frames, frames.new_zeros(1))
    mels = frames if reads == "mel" else torch.randn(1, 6, 5).double()
    given = {"mu": mu, "log_sigma": log_sigma, "latents": latents}
    made = aligner(torch.zeros(1, 3, 3), none, mels, mel_none, **given)

    def likelihood(durations: list[int]) -> float:
        repeats = torch.tensor(durations)
        each = Normal(
            mu[0].repeat_interleave(repeats, 0), log_sigma[0].exp().repeat_interleave(repeats, 0)
        )
        return float(each.log_prob(frames[0]).sum())

    best = max(paths(3, 6), key=likelihood)
    assert made.durations[0].tolist() == best
    losses = {name: float(each) for name, each in made.losses.items()}
    wanted = {"prior": -likelihood(best) / 30} if reads == "mel" else {}
    assert losses == pytest.approx(wanted, rel=1e-12)


def test_means_of_its_own_that_no_loss_would_teach_are_a_problem() -> None:
    sizes = Sizes(vocab_size=12, pad_id=0, mel_dim=5, hidden_dim=8)
    [(field, message)] = PriorSearchParams(reads="latents").cross_check(sizes)
    assert field == "prior"
    assert "must name the encoder's part where latents are searched" in message


def test_without_a_part_of_the_encoder_the_means_are_learned_from_hidden() -> None:
    aligner = PriorSearch(hidden_dim=3, mel_dim=5)
    assert aligner.mean is not None
    with torch.no_grad():
        aligner.mean.weight.zero_()
        aligner.mean.bias.zero_()
    mels, none = torch.zeros(1, 2, 5), torch.zeros(1, 1, dtype=torch.bool)
    made = aligner(torch.ones(1, 1, 3), none, mels, none.expand(1, 2))
    assert made.losses["prior"].item() == pytest.approx(0.5 * math.log(2 * math.pi))


@pytest.mark.parametrize("aligner", ["prior_search", "forward_sum"])
def test_a_model_learns_durations_that_nobody_gave_it_and_speaks(aligner: str) -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec({**MODEL, "aligner": {"type": aligner}})
    phonemes, mels = torch.tensor([[3, 4, 5, 6]]), torch.randn(1, 20, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        output = model(phonemes, mels)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert output.plan is not None
    spoken = model.eval().generate(phonemes, stop_threshold=1.0)
    assert spoken.durations is not None
    assert (spoken.durations - output.plan.durations).abs().max() <= 1
