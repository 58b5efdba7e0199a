"""Sizes at which a benchmark takes milliseconds."""

from __future__ import annotations

import pytest

from kokoro_plugins.bench.sizes import ModelSize, Scale


@pytest.fixture(scope="session")
def size() -> ModelSize:
    """A model with a width for each thing that could be taken for another."""
    return ModelSize(
        vocab_size=11,
        mel_dim=6,
        hidden_dim=16,
        num_layers=2,
        num_heads=2,
        ff_dim=24,
        prenet_units=10,
        max_len=120,
    )


@pytest.fixture(scope="session")
def scale(size: ModelSize) -> Scale:
    """A scale with two of everything that a table has rows for."""
    return Scale(
        model=size,
        lengths=(6, 12),
        frame=6,
        batches=(1, 8),
        utterance=3,
        training=(2, 12),
        memory=(2, 12),
        ragged=(3, 5),
        segments=(None, 1, 4, 6),
        rounds=2,
        block_seconds=0.0,
    )
