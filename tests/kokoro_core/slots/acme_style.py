"""A third party's plugin for the trial slot: a style made of the mean hidden vector."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from kokoro_core import hookimpl
from kokoro_core.contracts.parts import StyleEncoder  # type: ignore[attr-defined]
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import StyleParams  # type: ignore[attr-defined]


class MeanStyleParams(StyleParams):  # type: ignore[misc]
    """Maps the mean hidden vector to a style.

    Attributes:
        hidden_dim: Width of the hidden vectors; the spec's if it is null.
    """

    type: Literal["mean"] = "mean"
    hidden_dim: int | None = None

    def build(self, sizes: Sizes) -> MeanStyle:
        """Return the style encoder."""
        return MeanStyle(hidden_dim=sizes.hidden_dim)


class MeanStyle(StyleEncoder):  # type: ignore[misc]
    """A linear map of the mean over the phonemes of an utterance."""

    def __init__(self, *, hidden_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, hidden: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the style (B, H) of hidden (B, N, H)."""
        real = (~padding_mask).unsqueeze(2).to(hidden.dtype)
        mean = (hidden * real).sum(1) / real.sum(1)
        styled: Tensor = self.linear(mean)
        return torch.tanh(styled)


@hookimpl
def kokoro_components() -> list[type[StyleParams]]:
    """Return the one component."""
    return [MeanStyleParams]
