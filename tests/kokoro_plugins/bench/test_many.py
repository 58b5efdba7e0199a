"""The case of many requests: what is asked, and how much work that is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core.cost.products import Products
from kokoro_plugins.bench.cases.many import (
    _arguments,
    _in_batches,
    _in_places,
    lengths_of,
    multiply_adds,
)
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.sizes import ModelSize, Scale

SIZE = ModelSize(
    vocab_size=12, mel_dim=4, hidden_dim=8, num_layers=2, num_heads=2, ff_dim=16, max_len=200
)


def test_lengths_have_their_mean_and_are_in_no_order() -> None:
    lengths = lengths_of(16, 100)
    assert sum(lengths) == 1600
    assert (min(lengths), max(lengths)) == (25, 175)
    assert lengths not in (sorted(lengths), sorted(lengths, reverse=True))
    assert lengths_of(16, 100) == lengths
    assert lengths_of(2, 1) == [1, 2] or lengths_of(2, 1) == [2, 1]


def test_the_multiply_adds_are_those_that_a_counter_sees() -> None:
    frames = 5
    decoder: Any = our_model(SIZE).acoustic.decoder.eval()
    memory, mask = torch.randn(1, frames, 8), torch.zeros(1, frames, dtype=torch.bool)
    with torch.no_grad():
        state = decoder.init_state(memory, mask, frames)
        with Products() as products:
            for _ in range(frames):
                decoder.step(torch.zeros(1, 1, 4), state)
    # A step attends to the whole cache, behind a mask that hides what is not written yet.
    unwritten = sum(frames - made - 1 for made in range(frames))
    hidden = 2 * SIZE.num_layers * SIZE.hidden_dim * unwritten
    assert products.multiply_adds == multiply_adds(SIZE, frames) + hidden


def test_both_ways_speak_all_that_is_asked_for() -> None:
    model = our_model(SIZE).eval()
    decoder: Any = model.acoustic.decoder
    asked = [_arguments(Scale(model=SIZE), frames) for frames in (6, 12, 7)]
    step, rows = decoder.step, list[int]()

    def counted(frames: Tensor, state: object) -> object:
        rows.append(len(frames))
        return step(frames, state)

    decoder.step = counted
    for way in (_in_places, _in_batches):
        rows.clear()
        way(model, asked, 2)
        assert sum(rows) == 25
