"""The stochastic durations of transformers' VITS, both ways, and its published size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import VitsConfig
from transformers.models.vits.modeling_vits import (
    VitsElementwiseAffine,
    VitsStochasticDurationPredictor,
)

from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.vits.duration_predictor import _through as through
from kokoro_plugins.vits.params import StochasticDurationPredictorParams
from tests.kokoro_plugins.vits.reference import (
    MASK,
    WIDTH,
    close,
    copied,
    drawing,
    same_gradients,
    small,
    valid,
)

SIZES = Sizes(vocab_size=2, pad_id=0, mel_dim=5, hidden_dim=WIDTH)
OUT = "conv_proj"


def pair(**settings: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    reference: Any = VitsStochasticDurationPredictor(small())
    params = StochasticDurationPredictorParams(
        num_layers=2, num_flows=3, bins=5, bound=2.0, dropout=0.0, **settings
    )
    return copied(params.build(SIZES), reference, OUT), reference


def hidden() -> torch.Tensor:
    return torch.randn(*MASK.shape, WIDTH, dtype=torch.float64)


@pytest.fixture
def as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference exchange the two numbers as VITS's own code does.

    It exchanges them behind the scale as well, but only in training, so that what it learns there
    is not what it draws. A scale that exchanges them too undoes that.
    """
    forward = VitsElementwiseAffine.forward

    def exchanged(self: Any, *inputs: Any, reverse: bool = False, **more: Any) -> Any:
        if reverse:
            return forward(self, *inputs, **{**more, "reverse": True})
        found, log_det = forward(self, *inputs, **more)
        return found.flip(1), log_det

    monkeypatch.setattr(VitsElementwiseAffine, "forward", exchanged)


@pytest.mark.usefixtures("as_published")
def test_the_likelihood_and_its_gradients_are_the_references_in_a_ragged_batch() -> None:
    ours, reference = pair()
    durations = torch.randint(0, 9, MASK.shape).masked_fill(MASK, 0)
    given = hidden()
    losses = ours(given, MASK, durations, noise=RowNoise([3, 4, 5])).losses
    with drawing(RowNoise([3, 4, 5]), 7, 2):
        each = reference(
            given.transpose(1, 2), valid(MASK), durations=durations.double().unsqueeze(1)
        )
    wanted = each.sum() / (~MASK).sum()
    close(losses["likelihood"], wanted)
    losses["likelihood"].backward()
    wanted.backward()
    assert same_gradients(ours, reference, OUT) == 4 * 2 + 2 * 16 + 2 * (2 + 3 * (4 + 16))


def test_durations_are_drawn_as_the_reference_draws_them() -> None:
    ours, reference = pair()
    given = hidden()
    frames = ours.frames(given, MASK, noise=RowNoise([3, 4, 5]), noise_scale_duration=0.7)
    with drawing(RowNoise([3, 4, 5]), 7, 2):
        log = reference(given.transpose(1, 2), valid(MASK), reverse=True, noise_scale=0.7)
    close(frames, (log.exp() * valid(MASK)).squeeze(1))
    assert frames[~MASK].min() > 0


class Given:
    """Noise that was made before."""

    def __init__(self, drawn: torch.Tensor) -> None:
        self._drawn = drawn

    def normal(self, num: int, channels: int, *, like: torch.Tensor) -> torch.Tensor:
        return self._drawn


def test_what_is_drawn_is_what_was_learned() -> None:
    ours, _ = pair()
    given, log_frames = hidden(), torch.randn(*MASK.shape, 1, dtype=torch.float64)
    beside = torch.randn_like(log_frames)
    condition = ours._condition(given, MASK)
    x = zero_padding(torch.cat([log_frames, beside], 2), MASK)
    x, _ = through(ours.flow, x, MASK, condition)
    frames = ours.frames(given, MASK, noise=Given(x), noise_scale_duration=1.0)
    close(frames, zero_padding(log_frames.exp().squeeze(2), MASK))


def test_it_learns_durations_that_it_then_draws() -> None:
    torch.manual_seed(0)
    predictor = StochasticDurationPredictorParams(dropout=0.0).build(SIZES)
    padding = torch.zeros(2, 6, dtype=torch.bool)
    given = torch.randn(2, 6, WIDTH)
    durations = torch.tensor([[3, 9, 5, 14, 6, 8], [7, 4, 11, 5, 2, 10]])
    optimizer = torch.optim.Adam(predictor.parameters(), lr=1e-2)
    for seed in range(150):
        loss = predictor(given, padding, durations, noise=RowNoise([seed, -seed])).losses
        optimizer.zero_grad()
        loss["likelihood"].backward()
        optimizer.step()
    drawn = predictor.eval().frames(given, padding, noise=RowNoise([1, 2]))
    assert (drawn.ceil() - durations).abs().double().mean() < 1


def test_hidden_vectors_learn_only_where_the_gradient_may_pass() -> None:
    durations = torch.ones(MASK.shape, dtype=torch.int64)
    for stop_gradient in (True, False):
        ours, _ = pair(stop_gradient=stop_gradient)
        given = hidden().requires_grad_()
        ours(given, MASK, durations, noise=RowNoise([1, 2, 3])).losses["likelihood"].backward()
        assert (given.grad is None) is stop_gradient


def test_without_durations_there_is_nothing_to_learn() -> None:
    ours, _ = pair()
    with pytest.raises(ValueError, match="`durations` must be given: their likelihood is the loss"):
        ours(hidden(), MASK, noise=RowNoise([1, 2, 3]))


def test_the_published_settings_have_the_published_number_of_parameters() -> None:
    params = StochasticDurationPredictorParams()
    sizes = Sizes(vocab_size=2, pad_id=0, mel_dim=80, hidden_dim=192)
    with torch.device("meta"):
        ours, reference = params.build(sizes), VitsStochasticDurationPredictor(VitsConfig())
    for each in (ours, reference):
        assert sum(parameter.numel() for parameter in each.parameters()) == 1_317_168
    assert params.size(sizes).parameters == 1_317_168
