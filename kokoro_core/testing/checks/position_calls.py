"""Promises of each method of a positional encoding, at any position."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.testing.check import only_if
from kokoro_core.testing.checks.gradients import assert_slope
from kokoro_core.testing.checks.position_answers import (
    answers,
    assert_same_answer,
    position_check,
    questions,
    vectors,
)
from kokoro_core.testing.data.cases import POSITIONS, PositionCase
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.subjects.subject import Subject


@position_check(
    "position-neutral",
    cases=POSITIONS,
    bug="transformers#47741: writing into the caller's tensors",
)
def position_neutral(subject: Subject, data: PositionCase) -> None:
    """It writes to nothing, draws nothing, keeps shapes, dtypes and lengths, and repeats itself."""
    encoding = subject.component
    given = questions(subject, data)
    x, q, k, _ = given
    every = torch.arange(data.length)
    kept = [each.clone() for each in given]
    before = torch.get_rng_state()
    first = answers(encoding, given, every)
    for name, tensor, was in zip(("x", "q", "k", "weights"), given, kept, strict=True):
        assert torch.equal(tensor, was), f"`{name}` must not be written to"
    second = answers(encoding, given, every)
    trained = answers(subject.build().train(), given, every)
    assert torch.equal(before, torch.get_rng_state()), "no random number must be drawn"
    assert torch.equal(every, torch.arange(data.length)), "`positions` must not be written to"
    for name, got in first.items():
        for others, when in ((second, "each time"), (trained, "in training")):
            other = others[name]
            assert (other is None) == (got is None), f"`{name}` must not come and go {when}"
            same = got is None or other is None or torch.equal(got, other)
            assert same, f"`{name}` must be the same {when}"
    for name, source in (("add", x), ("rotate", q), ("rotate of keys", k)):
        answer = first[name]
        assert answer is not None, f"`{name}` must answer"
        assert answer.shape == source.shape, f"`{name}` must keep the shape"
        assert answer.dtype == source.dtype, f"`{name}` must keep the dtype {source.dtype}"
        if name != "add":
            assert_same(answer.norm(dim=3), source.norm(dim=3), "`rotate` must keep lengths")


def _turns_nothing(subject: Subject) -> str | None:
    _, q, k = vectors(subject, PositionCase(4))
    turned_q, turned_k = subject.component.rotate(q, k, torch.arange(4), torch.arange(4))
    neither = torch.equal(turned_q, q) and torch.equal(turned_k, k)
    return "it turns neither queries nor keys" if neither else None


@position_check(
    "distance-alone",
    cases=POSITIONS,
    skip=_turns_nothing,
    bug="keys that are turned the other way: every score depends on where in the text it stands",
)
def distance_alone(subject: Subject, data: PositionCase) -> None:
    """The score of a turned query and key depends on the distance of their positions alone."""
    encoding = subject.component
    _, q, k = vectors(subject, data)
    scores = []
    for shift in (0, data.start + 1):
        positions = torch.arange(data.length) + shift
        turned_q, turned_k = encoding.rotate(q, k, positions, positions)
        # (B, heads, T, D) -> (B, heads, T, T)
        scores.append(turned_q @ turned_k.transpose(2, 3))
    assert_same(scores[1], scores[0], "scores must not change when both positions move alike")


@position_check(
    "one-pass",
    cases=POSITIONS,
    bug="angles that are remembered from one call to another with other positions",
)
def one_pass(subject: Subject, data: PositionCase) -> None:
    """What one pass through a stack uses gives the same, layer for layer and pass for pass."""
    encoding = subject.component
    x, q, k, weights = questions(subject, data)
    every = torch.arange(data.length)
    for positions in (every, every[data.start :], every):
        count = len(positions)
        given = x[:, :count], q[:, :, :count], k, weights[:, :, :count]
        expected = answers(encoding, given, positions, every)
        view = encoding.for_one_pass()
        for _ in range(2):
            for name, got in answers(view, given, positions, every).items():
                assert_same_answer(name, got, expected[name], "must be the same within one pass")


@position_check(
    "position-gradient",
    cases=POSITIONS.of(PositionCase(5, 2, 3)),
    skip=only_if("float64"),
    bug="a learned table that is looked up without a gradient, and stays as it began",
)
def position_gradient(subject: Subject, data: PositionCase) -> None:
    """The gradient of what it is given, and of its table, is the slope that small changes show."""
    encoding = subject.build()
    given = questions(subject, data)
    named = dict(zip(("x", "q", "k", "weights"), given, strict=True))
    moved = {**named, **dict(encoding.named_parameters())}
    every = torch.arange(data.length)

    def total() -> Tensor:
        found = answers(encoding, given, every)
        generator = torch.Generator().manual_seed(8)
        parts = [
            (each * torch.randn(each.shape, generator=generator, dtype=each.dtype)).sum()
            for each in found.values()
            if each is not None
        ]
        return torch.stack(parts).sum()

    assert_slope(moved, total, "positions and vectors")
