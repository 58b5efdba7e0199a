"""What opinions come to: losses of discriminators and of what they judge, masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from kokoro_plugins.adversarial.discriminator import Map, Opinion

Kind = Literal["hinge", "least_squares"]


def mean_of(values: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the mean over what is not padding.

    Shape:
        values: (B, C, L, W). padding_mask: (B, L) bool. Returns: ().
    """
    count = (~padding_mask).sum() * values.shape[1] * values.shape[3]
    return values.masked_fill(padding_mask[:, None, :, None], 0).sum() / count


def real_loss(kind: Kind, opinions: Sequence[Opinion]) -> Tensor:
    """Return the loss of discriminators for recordings, whose scores should be 1 or more."""
    return _sum(opinions, lambda x: (1 - x).relu() if kind == "hinge" else (1 - x).square())


def made_loss(kind: Kind, opinions: Sequence[Opinion]) -> Tensor:
    """Return the loss of discriminators for what was made: scores of −1 or less, or of 0."""
    return _sum(opinions, lambda x: (1 + x).relu() if kind == "hinge" else x.square())


def convincing_loss(kind: Kind, opinions: Sequence[Opinion]) -> Tensor:
    """Return the loss of the model, which wants high scores, or scores of 1."""
    return _sum(opinions, lambda x: -x if kind == "hinge" else (1 - x).square())


def feature_loss(real: Sequence[Opinion], made: Sequence[Opinion]) -> Tensor:
    """Return the sum over layers of the mean distance between features (Kumar et al., 2019)."""
    distances = [
        mean_of((one.values.detach() - other.values).abs(), one.padding_mask)
        for first, second in zip(real, made, strict=True)
        for one, other in zip(first.features, second.features, strict=True)
    ]
    return torch.stack(distances).sum()


def _sum(opinions: Sequence[Opinion], of_score: Callable[[Tensor], Tensor]) -> Tensor:
    scores: list[Map] = [each.scores for each in opinions]
    return torch.stack([mean_of(of_score(each.values), each.padding_mask) for each in scores]).sum()
