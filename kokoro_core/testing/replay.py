"""The one shell line that tries a failure again."""

from __future__ import annotations

import json
import shlex
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.subject import Subject


def replay_line(subject: Subject, check: Check[Any], case: str) -> str:
    """Return a shell line that runs one check of one component on one case.

    It names the params class by its module, so that it works for a component that no plugin
    registers yet; a class that cannot be imported has none.
    """
    target = target_of(subject)
    if target is None:
        return ""
    words = ["kokoro-core", "conformance", target, "--settings", settings_of(subject)]
    return " ".join(shlex.quote(each) for each in [*words, "--check", check.id, "--case", case])


def target_of(subject: Subject) -> str | None:
    """Return ``module:Class``, by which a params class can be imported, or None."""
    kind = type(subject.params)
    if "<" in kind.__qualname__:
        return None
    if kind.__module__ == "__main__":
        import sys

        file = getattr(sys.modules["__main__"], "__file__", None)
        return f"{file}:{kind.__qualname__}" if file else None
    return f"{kind.__module__}:{kind.__qualname__}"


def settings_of(subject: Subject) -> str:
    """Return the settings as JSON."""
    settings = subject.params.model_dump(mode="json")
    return json.dumps(settings, separators=(",", ":"))
