"""Compositions in which every two choices that go together occur together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

Choice = tuple[str, str]
"""A place, and what stands there."""

Pair = tuple[Choice, Choice]

TRIES = 40
"""Completions of a pair that are tried until it counts as refused."""


def pairs_of(chosen: Mapping[str, str]) -> set[Pair]:
    """Return every two choices of a composition."""
    return set(combinations(sorted(chosen.items()), 2))


def every_pair(options: Mapping[str, Sequence[str]]) -> set[Pair]:
    """Return every two choices of different places."""
    found = [(place, each) for place in sorted(options) for each in options[place]]
    return {(one, two) for one, two in combinations(found, 2) if one[0] != two[0]}


def covering(
    options: Mapping[str, Sequence[str]], allowed: Callable[[Mapping[str, str]], bool], seed: int
) -> tuple[list[dict[str, str]], set[Pair]]:
    """Return compositions that cover all pairs, and the pairs that none allows.

    Args:
        options: What may stand at each place.
        allowed: Whether the parts of a composition go together.
        seed: Of what completes a pair.
    """
    draw, left = random.Random(seed), every_pair(options)
    made: list[dict[str, str]] = []
    refused: set[Pair] = set()
    for _ in range(2):  # the second time with what was made to begin from
        while left:
            pair = min(left)
            tries = [_completed(options, pair, draw, made) for _ in range(TRIES)]
            found = _best(tries, left, allowed)
            if found is None:
                refused.add(pair)
                left.discard(pair)
            else:
                made.append(found)
                left -= pairs_of(found)
                refused -= pairs_of(found)
        left = set(refused)
    return made, refused


def _completed(
    options: Mapping[str, Sequence[str]],
    pair: Pair,
    draw: random.Random,
    made: Sequence[Mapping[str, str]],
) -> dict[str, str]:
    """Return a composition with a pair: a new one, or one that was allowed with half of the pair.

    A rare choice is allowed in few company, which a new composition hardly ever meets.
    """
    alike = [each for each in made if set(pair) & set(each.items())]
    if alike and draw.random() < 0.5:
        return {**draw.choice(alike), **dict(pair)}
    return {place: draw.choice(each) for place, each in options.items()} | dict(pair)


def _best(
    candidates: list[dict[str, str]],
    left: set[Pair],
    allowed: Callable[[Mapping[str, str]], bool],
) -> dict[str, str] | None:
    """Return the candidate that covers most of what is left, of those that are allowed."""
    candidates.sort(key=lambda each: -len(pairs_of(each) & left))
    return next((each for each in candidates if allowed(each)), None)
