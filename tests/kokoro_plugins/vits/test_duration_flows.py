"""The flows over durations: what their inverses take back, and their log-determinants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from kokoro_plugins.vits.duration_flows import Affine, SplineCoupling
from kokoro_plugins.vits.spline import Spline
from tests.kokoro_plugins.vits.reference import MASK, WIDTH, close


def made(kind: str) -> Any:
    torch.manual_seed(0)
    flow = (
        Affine()
        if kind == "affine"
        else SplineCoupling(width=WIDTH, kernel_size=3, num_layers=2, bins=6, bound=1.5)
    )
    for each in flow.parameters():
        nn.init.normal_(each, std=0.5)
    return flow.double()


def numbers(channels: int) -> torch.Tensor:
    drawn = torch.randn(*MASK.shape, channels, dtype=torch.float64)
    return drawn.masked_fill(MASK.unsqueeze(2), 0)


@pytest.mark.parametrize("kind", ["affine", "spline"])
def test_the_inverse_takes_back_what_the_flow_did(kind: str) -> None:
    flow, condition = made(kind), numbers(WIDTH)
    x = numbers(2)
    z, _ = flow(x, MASK, condition)
    assert (z - x).abs().max() > 0.1
    close(flow.inverse(z, MASK, condition), x)


@pytest.mark.parametrize("kind", ["affine", "spline"])
def test_the_log_determinant_is_that_of_the_jacobian(kind: str) -> None:
    flow, condition = made(kind), numbers(WIDTH)
    x = numbers(2)
    _, found = flow(x, MASK, condition)
    for row, length in enumerate((~MASK).sum(1).tolist()):
        one = slice(row, row + 1)
        given = MASK[one, :length], condition[one, :length]
        jacobian = torch.autograd.functional.jacobian(
            lambda x, given=given: flow(x, *given)[0], x[one, :length]
        )
        _, wanted = torch.linalg.slogdet(jacobian.reshape(2 * length, -1))
        close(found[row], wanted)


def test_a_spline_rises_from_end_to_end_of_its_interval_and_is_the_identity_outside() -> None:
    torch.manual_seed(0)
    spline = Spline.of(
        torch.randn(3 * 6 - 1, dtype=torch.float64).expand(601, -1), bins=6, bound=2.0
    )
    x = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    y, log_slope = spline.forward(x)
    assert (y.diff() > 0).all()
    close(y[x.abs() >= 2], x[x.abs() >= 2])
    assert not log_slope[x.abs() > 2].any()
    (slopes,) = torch.autograd.grad(y.sum(), x)
    close(log_slope.exp(), slopes)
