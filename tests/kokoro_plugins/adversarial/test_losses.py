"""Losses of opinions against the formulas of the papers, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kokoro_plugins.adversarial.discriminator import Map, Opinion
from kokoro_plugins.adversarial.losses import (
    Kind,
    convincing_loss,
    feature_loss,
    made_loss,
    real_loss,
)

LENGTHS = ((5, 2), (3, 1))
SHAPES = ((5, 4), (3, 2))


def opinions(seed: int) -> list[Opinion]:
    """Return two opinions on two rows, with noise at padding too."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for lengths, (steps, width) in zip(LENGTHS, SHAPES, strict=True):
        mask = torch.arange(steps) >= torch.tensor(lengths)[:, None]
        maps = [
            Map(torch.randn(2, channels, steps, width, generator=generator).double() * 2, mask)
            for channels in (3, 2, 1)
        ]
        found.append(Opinion(maps[2], (maps[0], maps[1])))
    return found


def valid(seen: Map, lengths: tuple[int, ...]) -> np.ndarray:
    rows = [row[:, :length] for row, length in zip(seen.values.numpy(), lengths, strict=True)]
    return np.concatenate([row.ravel() for row in rows])


def by_hand(found: list[Opinion], formula: str) -> float:
    total = 0.0
    for opinion, lengths in zip(found, LENGTHS, strict=True):
        x = valid(opinion.scores, lengths)
        total += {
            "hinge real": np.maximum(0, 1 - x),
            "hinge made": np.maximum(0, 1 + x),
            "hinge convincing": -x,
            "least_squares real": (x - 1) ** 2,
            "least_squares made": x**2,
            "least_squares convincing": (x - 1) ** 2,
        }[formula].mean()
    return total


@pytest.mark.parametrize("kind", ["hinge", "least_squares"])
def test_losses_of_scores_are_the_papers_without_padding(kind: Kind) -> None:
    found = opinions(0)
    functions = {"real": real_loss, "made": made_loss, "convincing": convincing_loss}
    for name, function in functions.items():
        expected = by_hand(found, f"{kind} {name}")
        assert function(kind, found).item() == pytest.approx(expected, rel=1e-9), name


def test_feature_matching_is_the_sum_of_mean_distances_and_teaches_what_was_made_alone() -> None:
    real, made = opinions(1), opinions(2)
    for opinion in (*real, *made):
        for each in opinion.features:
            each.values.requires_grad_()
    loss = feature_loss(real, made)
    expected = sum(
        np.abs(valid_of(one, lengths) - valid_of(other, lengths)).mean()
        for first, second, lengths in zip(real, made, LENGTHS, strict=True)
        for one, other in zip(first.features, second.features, strict=True)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-9)
    loss.backward()
    assert all(each.values.grad is None for opinion in real for each in opinion.features)
    assert all(each.values.grad is not None for opinion in made for each in opinion.features)


def valid_of(seen: Map, lengths: tuple[int, ...]) -> np.ndarray:
    return valid(Map(seen.values.detach(), seen.padding_mask), lengths)
