"""Bytes that are alive, counted by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from kokoro_core.cost.live_bytes import LiveBytes, peak_bytes

KIB = 1024


def test_the_peak_is_the_most_that_lived_at_a_time() -> None:
    given = torch.zeros(256)  # 1 KiB, not counted: it was there before

    def work() -> None:
        one = given + 1
        two = one + 1
        del one
        three = two.view(16, 16)  # the same storage
        four = three * 2
        del two, three, four
        given.add_(1)

    assert peak_bytes(work) == 2 * KIB


def test_what_is_freed_is_no_longer_counted() -> None:
    given = torch.zeros(256)
    with LiveBytes() as counted:
        kept = given + 1
        for _ in range(5):
            given + 2
        assert counted.now == KIB
        del kept
        assert counted.now == 0


def test_activations_kept_for_the_way_back_count_and_recomputed_ones_do_not() -> None:
    layers = nn.ModuleList(nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(8))
    x = torch.randn(32, 64)
    size = 32 * 64 * 4

    def run(first: int, last: int, x: torch.Tensor) -> torch.Tensor:
        for layer in layers[first:last]:
            x = layer(x)
        return x

    def whole() -> None:
        run(0, 8, x).sum().backward()

    def halves() -> None:
        half = checkpoint(run, 0, 4, x, use_reentrant=False)
        checkpoint(run, 4, 8, half, use_reentrant=False).sum().backward()

    whole()  # gradients are there from now on
    # Tanh keeps its result, 8 of them; at the peak one or two more are on their way.
    assert 8 * size <= peak_bytes(whole) <= 12 * size
    assert peak_bytes(halves) < 0.8 * peak_bytes(whole)
    assert peak_bytes(halves) == peak_bytes(halves)
