"""The sizes of the model that a component is built into."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What every component's ``build`` is told of the model around it.

    Attributes:
        vocab_size: Number of phoneme indices, padding included.
        pad_id: The phoneme index that means padding.
        mel_dim: Mel channels.
        hidden_dim: Width at which this component meets its neighbours, its own if it sets one.
    """

    vocab_size: int
    pad_id: int
    mel_dim: int
    hidden_dim: int
