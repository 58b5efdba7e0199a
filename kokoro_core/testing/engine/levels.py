"""How much a check tries: ``fast``, ``ci`` or ``nightly``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

LevelName = Literal["fast", "ci", "nightly"]
LEVELS: tuple[LevelName, ...] = get_args(LevelName)


@dataclass(frozen=True)
class Level:
    """How much is tried, after the corners, which always are.

    Attributes:
        name: Its name.
        examples: How much is drawn.
        variants: Whether every small configuration of a component is tried, or the first alone.
        costly: Whether checks that cost seconds are tried on every configuration, too.
        seed: Of what is drawn; None draws another each time, and the report says which.
    """

    name: str
    examples: int
    variants: bool = True
    costly: bool = False
    seed: int | None = 0


_LEVELS = {
    "fast": Level("fast", 5, variants=False),
    "ci": Level("ci", 20),
    "nightly": Level("nightly", 300, costly=True, seed=None),
}


def level_named(name: str) -> Level:
    """Return a level.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in _LEVELS:
        raise ValueError(f"`{name}` is no level; the levels are {', '.join(LEVELS)}.")
    return _LEVELS[name]
