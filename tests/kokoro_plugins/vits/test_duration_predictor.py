"""The stochastic durations of transformers' VITS, both ways, and its published size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import VitsConfig
from transformers.models.vits.modeling_vits import VitsStochasticDurationPredictor

from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.noise import RowNoise
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
