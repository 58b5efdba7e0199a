"""The coupling flow of transformers' VITS, both ways, its inverse and its log-determinant."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import VitsConfig
from transformers.models.vits.modeling_vits import VitsResidualCouplingBlock

from kokoro_core.params.sizes import Sizes
from kokoro_plugins.vits.flow_params import CouplingFlowParams
from tests.kokoro_plugins.vits.reference import (
    CHANNELS,
    MASK,
    WIDTH,
    close,
    copied,
    same_gradients,
    small,
    valid,
)

OUT = "conv_post"


def flow(channels: int = CHANNELS, **settings: Any) -> Any:
    sizes = Sizes(vocab_size=2, pad_id=0, mel_dim=channels, hidden_dim=WIDTH)
    params = CouplingFlowParams(num_flows=3, num_layers=2, dilation=2, **settings)
    return params.build(sizes).flow


def pair() -> tuple[Any, Any]:
    torch.manual_seed(0)
    reference: Any = VitsResidualCouplingBlock(small())
    return copied(flow(), reference, OUT), reference


def random_flow(channels: int, **settings: Any) -> Any:
    torch.manual_seed(0)
    made = flow(channels, **settings).double()
    for each in made.parameters():
        nn.init.normal_(each, std=0.4)
    return made


def frames(channels: int = CHANNELS) -> Tensor:
    return torch.randn(*MASK.shape, channels, dtype=torch.float64).masked_fill(MASK.unsqueeze(2), 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_both_ways_and_their_gradients_are_the_references_in_a_ragged_batch(reverse: bool) -> None:
    ours, reference = pair()
    x = frames()
    found = ours.inverse(x, MASK) if reverse else ours(x, MASK)[0]
    wanted = reference(x.transpose(1, 2), valid(MASK), reverse=reverse).transpose(1, 2)
    close(found, wanted)
    found.sin().sum().backward()
    wanted.sin().sum().backward()
    assert same_gradients(ours, reference, OUT) == 3 * (4 + 2 * 2 * 3)


@pytest.mark.parametrize("mean_only", [True, False])
@pytest.mark.parametrize("channels", [2, 5, 6])
def test_the_inverse_takes_back_what_the_flow_did(channels: int, mean_only: bool) -> None:
    made = random_flow(channels, mean_only=mean_only)
    x = frames(channels)
    z, _ = made(x, MASK)
    assert (z - x).abs().max() > 0.1
    close(made.inverse(z, MASK), x)
    close(made(made.inverse(x, MASK), MASK)[0], x)
    assert not z[MASK].any()


@pytest.mark.parametrize("mean_only", [True, False])
@pytest.mark.parametrize("channels", [5, 6])
def test_the_log_determinant_is_that_of_the_jacobian(channels: int, mean_only: bool) -> None:
    made = random_flow(channels, mean_only=mean_only)
    x = frames(channels)
    _, found = made(x, MASK)
    for row, length in enumerate((~MASK).sum(1).tolist()):
        alone, none = x[row : row + 1, :length], MASK[row : row + 1, :length]
        jacobian = torch.autograd.functional.jacobian(lambda x, none=none: made(x, none)[0], alone)
        _, wanted = torch.linalg.slogdet(jacobian.reshape(length * channels, -1))
        close(found[row], wanted)
        assert bool(wanted.abs() < 1e-12) is mean_only


def test_the_published_settings_have_the_published_number_of_parameters() -> None:
    params = CouplingFlowParams()
    sizes = Sizes(vocab_size=2, pad_id=0, mel_dim=192, hidden_dim=192)
    with torch.device("meta"):
        ours, reference = params.build(sizes), VitsResidualCouplingBlock(VitsConfig())
    for each in (ours, reference):
        assert sum(parameter.numel() for parameter in each.parameters()) == 7_102_080
    assert params.size(sizes).parameters == 7_102_080
