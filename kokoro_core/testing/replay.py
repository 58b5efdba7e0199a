"""The one shell line that tries a failure again."""

from __future__ import annotations

import json
import shlex
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.importable import name_of
from kokoro_core.testing.model_subject import ModelSubject
from kokoro_core.testing.subject import Subject


def replay_line(
    subject: Subject | ModelSubject, check: Check[Any], case: str = "", golden_file: str = ""
) -> str:
    """Return a shell line that runs one check of one component on one case.

    It names the params class by its module or its file, so that it works for a component that no
    plugin registers yet; a class that is local to a function has no line.

    Args:
        subject: The component.
        check: What it fails.
        case: The data, as JSON; without any all of the check's data is tried.
        golden_file: Where the golden keys are, which belong to a variant.
    """
    if isinstance(subject, ModelSubject):
        words = ["kokoro-core", "conformance", subject.source, "--check", check.id]
        return shlex.join([*words, "--case", case] if case else words) if subject.source else ""
    target = name_of(type(subject.params))
    if target is None:
        return ""
    words = ["kokoro-core", "conformance", target]
    if subject.golden is not None and check.id == "golden-keys":
        if not golden_file:
            return ""
        words += ["--variant", subject.variant, "--golden", golden_file]
    else:
        words += ["--settings", settings_of(subject)]
    words += ["--check", check.id]
    if case:
        words += ["--case", case]
    return shlex.join(words)


def settings_of(subject: Subject) -> str:
    """Return the settings as JSON."""
    settings = subject.params.model_dump(mode="json")
    return json.dumps(settings, separators=(",", ":"))
