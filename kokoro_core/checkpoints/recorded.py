"""What a checkpoint or a resolved spec records of each component: the distribution behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kokoro_core.spec.problems.problem import Problem
from registry.text import printable, shorten


def with_recorded(problem: Problem, metadata: Mapping[str, Any]) -> Problem:
    """Return the problem of an unknown component with the distribution that once brought it.

    Args:
        problem: Any problem of the spec inside.
        metadata: What stands beside the spec; it is a stranger's, so nothing in it is relied on.
    """
    listed = metadata.get("components")
    if problem.code not in ("unknown-type", "ambiguous-type") or not isinstance(listed, list):
        return problem
    for each in listed:
        if isinstance(each, Mapping) and f"{each.get('path')}.type" == problem.path:
            name, version = (
                shorten(printable(str(each.get(key)))) for key in ("distribution", "version")
            )
            message = f"{problem.message}; it was made with `{name}` {version}"
            return replace(problem, message=message)
    return problem
