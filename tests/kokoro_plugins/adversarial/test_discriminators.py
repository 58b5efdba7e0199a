"""Discriminators: padding does not matter to them, and they compute what their papers say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kokoro_core.params.sizes import Sizes
from kokoro_plugins.adversarial.discriminator import Discriminator, Opinion
from kokoro_plugins.adversarial.params import (
    DiscriminatorParams,
    MultiPeriodParams,
    MultiResolutionParams,
    PatchParams,
    Resolution,
)

SIZES = Sizes(vocab_size=10, pad_id=0, mel_dim=7, hidden_dim=8)
SMALL: dict[str, DiscriminatorParams] = {
    "patch": PatchParams(channels=3, num_layers=3),
    "multi_period": MultiPeriodParams(periods=(2, 3, 7), channels=(2, 3, 4)),
    "multi_resolution": MultiResolutionParams(
        resolutions=(
            Resolution(n_fft=16, hop_length=3, win_length=12),
            Resolution(n_fft=8, hop_length=5, win_length=8),
        ),
        channels=2,
    ),
}


def built(name: str) -> Discriminator:
    torch.manual_seed(0)
    return SMALL[name].build(SIZES).double()


def example(name: str, lengths: tuple[int, ...], steps: int) -> tuple[Tensor, Tensor]:
    """Return noise with a mask, whatever is at padding; a row does not depend on the others."""
    shape = (steps, 7) if SMALL[name].judges == "mel" else (steps,)
    rows = [
        torch.randn(40, *shape[1:], generator=torch.Generator().manual_seed(n))[:steps]
        for n in range(len(lengths))
    ]
    x = torch.stack(
        [F.pad(each, (0, 0) * (each.dim() - 1) + (0, steps - len(each))) for each in rows]
    )
    mask = torch.arange(steps) >= torch.tensor(lengths)[:, None]
    return x.double().masked_fill(mask.view(*mask.shape, *[1] * (x.dim() - 2)), torch.nan), mask


def maps(opinions: list[Opinion]) -> list[Any]:
    return [each for opinion in opinions for each in (*opinion.features, opinion.scores)]


@pytest.mark.parametrize("name", SMALL)
def test_a_row_alone_is_judged_as_in_a_longer_batch(name: str) -> None:
    discriminator = built(name)
    lengths = (33, 18, 1, 29)
    together = maps(discriminator(*example(name, lengths, 41)))
    for row, length in enumerate(lengths):
        x, _ = example(name, lengths, 41)
        alone = maps(
            discriminator(x[row : row + 1, :length], torch.zeros(1, length, dtype=torch.bool))
        )
        for one, other in zip(together, alone, strict=True):
            valid = int((~one.padding_mask[row]).sum())
            assert valid == other.values.shape[2] == int((~other.padding_mask).sum())
            torch.testing.assert_close(
                one.values[row, :, :valid], other.values[0], rtol=1e-9, atol=1e-12
            )
            assert not one.values[row, :, valid:].any()


@pytest.mark.parametrize("name", SMALL)
def test_padding_gets_no_gradient_and_what_is_judged_gets_one(name: str) -> None:
    x, mask = example(name, (30, 14), 36)
    x = x.nan_to_num(3.0).requires_grad_()
    scores = [each.scores.values for each in built(name)(x, mask)]
    sum(each.square().sum() for each in scores).backward()
    assert x.grad is not None
    assert not x.grad[mask].any()
    assert x.grad[~mask].any()


def weights_of(stack: Any) -> list[tuple[Tensor, Tensor]]:
    return [(each.weight, each.bias) for each in (*stack.layers, stack.score)]


def test_a_period_is_judged_as_hifi_gan_does() -> None:
    discriminator = built("multi_period")
    x = torch.randn(2, 42, dtype=torch.float64)
    opinions = discriminator(x, torch.zeros(2, 42, dtype=torch.bool))
    for period, stack, opinion in zip(
        (2, 3, 7), discriminator.get_submodule("stacks").children(), opinions, strict=True
    ):
        seen = x.view(2, 1, 42 // period, period)
        convs = weights_of(stack)
        strides = [(3, 1), (3, 1), (1, 1)]
        for (weight, bias), stride in zip(convs[:-1], strides, strict=True):
            seen = F.leaky_relu(F.conv2d(seen, weight, bias, stride, padding=(2, 0)), 0.1)
        seen = F.conv2d(seen, *convs[-1], 1, padding=(1, 0))
        torch.testing.assert_close(opinion.scores.values, seen, rtol=1e-9, atol=1e-12)


def test_a_resolution_is_a_magnitude_spectrogram_of_a_periodic_hann_window() -> None:
    x = torch.randn(1, 31, dtype=torch.float64)
    discriminator: Any = built("multi_resolution")
    discriminator.window_0 = torch.hann_window(12, dtype=torch.float64)
    found = discriminator._magnitudes(x, 0)[0]
    padded = np.pad(x[0].numpy(), 8)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(12) / 12)
    window = np.pad(hann, 2)
    frames = np.stack([padded[t * 3 : t * 3 + 16] * window for t in range(1 + 31 // 3)])
    expected = np.sqrt(np.abs(np.fft.rfft(frames)) ** 2 + 1e-9)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_the_published_sizes_have_the_published_numbers_of_weights() -> None:
    channels = (1, 32, 128, 512, 1024, 1024)
    of_period = sum(a * b * 5 for a, b in pairwise(channels)) + 1024 * 3
    norms_and_biases = 2 * (sum(channels[1:]) + 1)

    def count(params: DiscriminatorParams) -> int:
        with torch.device("meta"):
            return sum(each.numel() for each in params.build(SIZES).parameters())

    assert count(MultiPeriodParams()) == 5 * (of_period + norms_and_biases) == 41_105_770
    of_resolution = 32 * 27 + 3 * 32 * 32 * 27 + 32 * 32 * 9 + 32 * 9
    assert count(MultiResolutionParams()) == 3 * (of_resolution + 2 * (5 * 32 + 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PatchParams(num_layers=0), "greater than or equal to 1"),
        (lambda: MultiPeriodParams(periods=()), "at least 1 item"),
        (
            lambda: MultiResolutionParams(
                resolutions=(Resolution(n_fft=8, hop_length=2, win_length=9),)
            ),
            "windows of at most n_fft samples, not 9 of 8",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
