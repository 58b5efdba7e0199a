"""`RuleViolation`: a broken rule between parts of a spec, before its place in a file is known."""

from __future__ import annotations

from dataclasses import dataclass

from kokoro_core.spec.problems.problem import Path, Problem, dotted


@dataclass(frozen=True)
class RuleViolation:
    """A rule between parts of a spec that is broken.

    Attributes:
        code: A stable name of the rule.
        path: Where it shows.
        message: What is wrong; ``{other}`` stands for the second place.
        other: The second place.
        causes: What it depends on; a bad value at one of these leaves it for the next run.
    """

    code: str
    path: Path
    message: str
    other: Path | None = None
    causes: tuple[Path, ...] = ()


def violation_problem(violation: RuleViolation) -> Problem:
    """Return the problem of a violation in a spec that has no text."""
    other = f"`{dotted(violation.other)}`" if violation.other is not None else ""
    message = violation.message.replace("{other}", other)
    return Problem(violation.code, dotted(violation.path), message)
