"""Promises of positional encodings about positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kokoro_core.testing.checks.position_answers import (
    answers,
    assert_same_answer,
    position_check,
    questions,
)
from kokoro_core.testing.data.cases import ONCE, POSITIONS, Nothing, PositionCase
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.subjects.subject import NUM_HEADS, Subject


@position_check(
    "position-offset",
    cases=POSITIONS,
    bug="transformers#18104, espnet#4940: positions that begin at 0 again in each step",
)
def position_offset(subject: Subject, data: PositionCase) -> None:
    """What stands at later positions is encoded as it is in the whole sequence."""
    encoding, start = subject.component, data.start
    every, late = torch.arange(data.length), torch.arange(start, data.length)
    x, q, k, weights = questions(subject, data)
    whole = answers(encoding, (x, q, k, weights), every)
    asked = answers(
        encoding, (x[:, start:], q[:, :, start:], k, weights[:, :, start:]), late, every
    )
    for name, answer in whole.items():
        late_part = answer
        if answer is not None and name != "rotate of keys":
            late_part = answer[..., start:, :]
        assert_same_answer(name, asked[name], late_part, "must know the queries' positions")
    _, late_k = encoding.rotate(q[:, :, start:], k[:, :, start:], late, late)
    every_k = whole["rotate of keys"]
    assert every_k is not None
    assert_same(late_k, every_k[:, :, start:], "`rotate` must know the keys' positions")


@position_check(
    "positions-of-rows",
    cases=POSITIONS,
    bug="unsloth#3699, nnsight PR#673: positions that are not of the row",
)
def positions_of_rows(subject: Subject, data: PositionCase) -> None:
    """Positions (B, T) give each row what its own positions (T,) give it."""
    encoding = subject.component
    every = torch.arange(data.length)
    # rolled, not reversed: a reversed row would have the same distances
    positions = torch.stack([every, every.roll(1)])
    given = questions(subject, data)
    kept = positions.clone()
    together = answers(encoding, given, positions)
    assert torch.equal(positions, kept), "positions must not be written to"
    for row, own in enumerate(positions):
        one = slice(row, row + 1)
        alone = answers(encoding, tuple(each[one] for each in given), own)
        for name, expected in alone.items():
            got = together[name]
            own_row = expected if expected is None or name == "bias" else expected[0]
            own_got = None if got is None else got[row]
            assert_same_answer(name, own_got, own_row, "must follow the row")


@position_check(
    "position-limit",
    cases=ONCE,
    bug="ming024/FastSpeech2#147, TensorFlowTTS#142: cut off, or read beside the table",
)
def position_limit(subject: Subject, data: Nothing) -> None:
    """It refuses a sequence longer than `max_len`; without an end it knows any."""
    encoding = subject.component
    if encoding.max_len is None:
        encoding.check_length(10**6)
        far = torch.tensor([10**5, 10**6 - 1])
        found = fingerprints(encoding, subject.sizes.hidden_dim, far, subject.dtype)
        assert bool(found.isfinite().all()), "far positions must give numbers"
        encoding.bias(far, far)
        return
    encoding.check_length(encoding.max_len)
    said = _refusal(encoding, encoding.max_len + 1)
    assert said, f"{encoding.max_len + 1} positions must be refused"
    assert str(encoding.max_len) in said, f"the error must name {encoding.max_len}, not say {said}"


def _refusal(encoding: Any, length: int) -> str:
    try:
        encoding.check_length(length)
    except ValueError as error:
        return str(error)
    return ""


def fingerprints(encoding: Any, width: int, positions: Tensor, dtype: torch.dtype) -> Tensor:
    """Return for each position what it adds to a vector and how it rotates one, (T, ·)."""
    count = len(positions)
    added = encoding.add(torch.zeros(1, count, width, dtype=dtype), positions)[0]
    ones = torch.ones(1, NUM_HEADS, count, width // NUM_HEADS, dtype=dtype)
    turned_q, turned_k = encoding.rotate(ones, ones, positions, positions)
    # (1, heads, T, D) -> (T, heads · D)
    flat = [each[0].transpose(0, 1).reshape(count, -1) for each in (turned_q, turned_k)]
    return torch.cat([added, *flat], 1).detach()


@position_check(
    "far-positions",
    cases=ONCE,
    since=2,
    bug="TensorFlowTTS#142: positions beyond the table that are clamped to its last row",
)
def far_positions(subject: Subject, data: Nothing) -> None:
    """Positions beyond a table raise, or are told from its last one and from its first."""
    encoding = subject.component
    last = (10**6 if encoding.max_len is None else encoding.max_len) - 1
    first, second = _fingerprints_at(subject, 0, 1)
    if torch.equal(first, second):
        return  # it tells distances, not positions
    near = _fingerprints_at(subject, last, last // 10)
    assert not torch.equal(*near), f"positions {last} and {last // 10} must be told apart"
    try:
        final, beyond, start = _fingerprints_at(subject, last, last + 1, 0)
    except (ValueError, IndexError, RuntimeError):
        return
    clamped = "the last one" if torch.equal(beyond, final) else ""
    wrapped = "the first one" if torch.equal(beyond, start) else ""
    same = clamped or wrapped
    assert not same, f"position {last + 1} must raise or be another than {same}"


def _fingerprints_at(subject: Subject, *positions: int) -> Tensor:
    places = torch.tensor(positions)
    return fingerprints(subject.component, subject.sizes.hidden_dim, places, subject.dtype)


def _reach(encoding: Any, most: int) -> int:
    return most if encoding.max_len is None else min(most, encoding.max_len)


def _known_by_bias(encoding: Any, width: int, count: int, dtype: torch.dtype) -> bool:
    positions = torch.arange(count)
    q = torch.ones(1, NUM_HEADS, count, width // NUM_HEADS, dtype=dtype)
    found = [encoding.bias(positions, positions), encoding.content_bias(q, positions, positions)]
    rows = [each.detach().reshape(-1, count)[-1] for each in found if each is not None]
    return any(len(row.unique()) > 2 for row in rows)


@position_check(
    "positions-distinct",
    cases=ONCE,
    bug="speedyspeech#23, coqui pos_encoding: a formula in which many positions are the same",
)
def positions_distinct(subject: Subject, data: Nothing) -> None:
    """No two positions are the same to it, unless it declares `position_free`: then all are."""
    encoding, width = subject.component, subject.sizes.hidden_dim
    count = _reach(encoding, 300)
    prints = fingerprints(encoding, width, torch.arange(count), subject.dtype)
    apart = torch.cdist(prints, prints) + torch.eye(count, dtype=subject.dtype)
    by_bias = _known_by_bias(encoding, width, min(count, 40), subject.dtype)
    if subject.capabilities.position_free:
        same = float(apart.triu(1).max()) < 1e-9 and not by_bias
        assert same, "an encoding that declares `position_free` must not tell positions apart"
    elif not by_bias:
        first, second = divmod(int(apart.argmin()), count)
        assert float(apart.min()) > 1e-6, f"positions {first} and {second} must not be the same"


@position_check(
    "positions-smooth",
    cases=ONCE,
    skip=lambda subject: (
        "its positions are learned" if list(subject.component.parameters()) else None
    ),
    bug="coqui pos_encoding: a position multiplied where it should be divided",
)
def positions_smooth(subject: Subject, data: Nothing) -> None:
    """Of positions that are computed, neighbours are alike in some channel."""
    prints = _of_several_speeds(subject)
    span = prints.amax(0) - prints.amin(0)
    varies = span > 1e-6
    if len(prints) < 20 or not bool(varies.any()):
        return
    step = (prints[1:] - prints[:-1]).abs().mean(0)
    slowest = float((step[varies] / span[varies]).min())
    assert slowest < 0.1, (
        f"some channel must change slowly from one position to the next: the slowest crosses "
        f"{slowest:.0%} of its range each time"
    )


@position_check(
    "position-accuracy",
    cases=ONCE,
    bug="gpt-neox#1003, transformers#25681, transformers#29496: angles computed in half precision",
)
def position_accuracy(subject: Subject, data: Nothing) -> None:
    """In float32 far positions are as in float64, also after a stay in bfloat16."""
    encoding, width = subject.build(), subject.sizes.hidden_dim
    positions = torch.arange(_reach(encoding, 4000))[-50:]
    expected = fingerprints(encoding, width, positions, torch.float64)
    moved = subject.build().float()
    weights = {name: each.clone() for name, each in moved.state_dict().items()}
    for promise in ("as exact in float32", "as exact after bfloat16 and back"):
        got = fingerprints(moved, width, positions, torch.float32).double()
        off = float((got - expected).abs().max())
        assert off < 1e-3, f"far positions must be {promise}, not off {off:.3g}"
        moved = moved.to(torch.bfloat16).float()
        moved.load_state_dict(weights)


def _of_several_speeds(subject: Subject) -> Tensor:
    """Return the fingerprints in the narrowest stack in which four different channels vary.

    In a narrow one an encoding that turns some of the channels of a head may turn the fast ones
    alone; in a wide one some channel that is far too fast looks slow by chance.
    """
    for width in (subject.sizes.hidden_dim, 16, 32, 64):
        wider = replace(subject, sizes=replace(subject.sizes, hidden_dim=width))
        positions = torch.arange(_reach(wider.component, 200))
        prints = fingerprints(wider.component, width, positions, subject.dtype)
        different = torch.unique((prints - prints[:1]).round(decimals=9), dim=1)
        if int((different != 0).any(0).sum()) >= 4:
            break
    return prints
