"""What is built by hand is what the spec ``default`` describes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kokoro_plugins.bench.peers import by_hand
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.sizes import ModelSize

SIZE = ModelSize(hidden_dim=16, num_layers=2, num_heads=2, ff_dim=24, max_len=150)


def test_it_has_the_tensors_of_ours_and_loads_them(tmp_path: Path) -> None:
    model = our_model(SIZE)
    model.save(tmp_path / "model.safetensors")
    loaded = by_hand.load(tmp_path / "model.safetensors", SIZE).state_dict()
    expected = model.acoustic.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_it_draws_what_ours_draws() -> None:
    wide = ModelSize(hidden_dim=128, num_layers=1, num_heads=2, ff_dim=256, max_len=5)
    mine, ours = by_hand.build(wide).state_dict(), our_model(wide).acoustic.state_dict()
    for name, each in ours.items():
        if each.numel() < 64:
            continue  # too few numbers to show from where they are drawn
        assert mine[name].abs().max().item() == pytest.approx(
            each.abs().max().item(), rel=0.5, abs=1e-6
        ), name


def test_its_tables_are_those_of_ours() -> None:
    [mine, _] = [each.table for each in by_hand.build(SIZE).modules() if hasattr(each, "table")]
    [ours, *_] = dict(our_model(SIZE).named_buffers()).values()
    torch.testing.assert_close(mine, ours, atol=1e-5, rtol=0)
