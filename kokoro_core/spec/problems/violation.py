"""`Finding`: a rule between parts of a spec that is broken, before it is known where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from kokoro_core.spec.problems.problem import Path, Problem, dotted


@dataclass(frozen=True)
class Finding:
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


def finding_problem(finding: Finding) -> Problem:
    """Return the problem of a finding in a spec that has no text."""
    other = f"`{dotted(finding.other)}`" if finding.other is not None else ""
    message = finding.message.replace("{other}", other)
    return Problem(finding.code, dotted(finding.path), message)
