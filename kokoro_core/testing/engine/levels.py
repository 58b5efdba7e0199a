"""How thoroughly checks are run: ``fast``, ``ci`` or ``nightly``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

LevelName = Literal["fast", "ci", "nightly"]
LEVELS: tuple[LevelName, ...] = get_args(LevelName)


@dataclass(frozen=True)
class Level:
    """How much is tried in addition to the corner cases.

    Attributes:
        name: Its name.
        examples: Number of examples that are drawn.
        variants: Whether every configuration of a component is tried, or only the first.
        costly: Whether checks that take seconds are tried on every configuration, too.
        seed: Of what is drawn; None: a new one each time, which is in the report.
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
        raise ValueError(f"`{name}` is not a level; the levels are {', '.join(LEVELS)}.")
    return _LEVELS[name]
