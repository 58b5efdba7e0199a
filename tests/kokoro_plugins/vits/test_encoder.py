"""The text encoder of transformers' VITS, weight by weight, and its published size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import VitsConfig
from transformers.models.vits.modeling_vits import VitsTextEncoder

from kokoro_core.params.sizes import Sizes
from kokoro_plugins.vits.params import VitsEncoderParams
from tests.kokoro_plugins.vits.reference import (
    CHANNELS,
    MASK,
    VOCAB,
    WIDTH,
    close,
    copied,
    same_gradients,
    small,
)

SETTINGS: dict[str, Any] = {"num_layers": 2, "num_heads": 2, "window": 2, "ff_dim": 12}
SIZES = Sizes(vocab_size=VOCAB, pad_id=0, mel_dim=CHANNELS, hidden_dim=WIDTH)


def pair() -> tuple[Any, Any]:
    torch.manual_seed(0)
    reference: Any = VitsTextEncoder(small())
    return copied(VitsEncoderParams(**SETTINGS, dropout=0.0).build(SIZES), reference, ""), reference


def test_hidden_vectors_prior_and_gradients_are_the_references_in_a_ragged_batch() -> None:
    ours, reference = pair()
    indices = torch.randint(1, VOCAB, MASK.shape).masked_fill(MASK, 0)
    output = ours(indices, MASK)
    wanted = reference(
        indices, (~MASK).double().unsqueeze(2), attention_mask=(~MASK).long(), return_dict=True
    )
    close(output.hidden, wanted.last_hidden_state)
    close(output.parts["mu"], wanted.prior_means)
    close(output.parts["log_sigma"], wanted.prior_log_variances)
    assert not output.hidden[MASK].any()
    assert not output.parts["mu"][MASK].any()
    for hidden, mu, log_sigma in (
        (output.hidden, *output.parts.values()),
        (wanted.last_hidden_state, wanted.prior_means, wanted.prior_log_variances),
    ):
        (hidden.sin().sum() + mu.square().sum() + log_sigma.cos().sum()).backward()
    assert same_gradients(ours, reference, "") == 35


def test_the_published_settings_have_the_published_number_of_parameters() -> None:
    params = VitsEncoderParams()
    sizes = Sizes(vocab_size=38, pad_id=0, mel_dim=192, hidden_dim=192)
    with torch.device("meta"):
        ours, reference = params.build(sizes), VitsTextEncoder(VitsConfig())
    for each in (ours, reference):
        assert sum(parameter.numel() for parameter in each.parameters()) == 6_299_904
    assert params.size(sizes).parameters == 6_299_904


def test_a_prior_that_is_a_mean_alone_has_the_same_mean() -> None:
    both, _ = pair()
    alone = VitsEncoderParams(**SETTINGS, dropout=0.0, mean_only=True).build(SIZES).double()
    weights = dict(both.state_dict())
    for name in ("prior.weight", "prior.bias"):
        weights[name] = weights[name][:CHANNELS]
    alone.load_state_dict(weights)
    indices = torch.randint(1, VOCAB, MASK.shape).masked_fill(MASK, 0)
    parts = alone(indices, MASK).parts
    assert list(parts) == ["mu"]
    close(parts["mu"], both(indices, MASK).parts["mu"])


def test_heads_that_do_not_divide_the_width_are_named() -> None:
    [(field, message)] = VitsEncoderParams(num_heads=3).cross_check(SIZES)
    assert (field, message) == ("num_heads", "3 heads do not divide the width 8")


def test_a_kernel_without_a_middle_is_refused() -> None:
    with pytest.raises(ValueError, match="must be odd to have a middle, not 4"):
        VitsEncoderParams(kernel_size=4)
