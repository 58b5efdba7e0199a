"""The one shell line that tries a failure again."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.subjects.importable import name_of, roots_of
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject


def replay_line(
    subject: Subject | ModelSubject, check: Check[Any], case: str = "", golden_file: str = ""
) -> str:
    """Return a shell line that runs one check of one component on one case, in any folder.

    It names the params class by its module or its file, so that it works for a component that no
    plugin registers yet, and puts on the path what no installation does; a class that is local to a
    function has no line.

    Args:
        subject: The component.
        check: What it fails.
        case: The data, as JSON; without any all of the check's data is tried.
        golden_file: Where the golden keys are, which belong to a variant.
    """
    if isinstance(subject, ModelSubject):
        words = ["kokoro-core", "conformance", _anywhere(subject.source), "--check", check.id]
        return shlex.join([*words, "--case", case] if case else words) if subject.source else ""
    target = name_of(type(subject.params))
    if target is None:
        return ""
    words = ["kokoro-core", "conformance", target]
    if subject.golden is not None and check.id == "golden-keys":
        if not golden_file:
            return ""
        words += ["--variant", subject.variant, "--golden", os.path.abspath(golden_file)]
    else:
        words += ["--settings", settings_of(subject)]
    words += ["--check", check.id]
    if case:
        words += ["--case", case]
    return _path_for(subject) + shlex.join(words)


def _path_for(subject: Subject) -> str:
    """Return what puts the modules of the settings and of the component on a fresh path."""
    kinds = [type(subject.params)]
    built = vars(subject).get("component")  # cached there once it is built
    if built is not None:
        kinds.append(type(built))
    roots = roots_of(each.__module__ for each in kinds)
    return f"PYTHONPATH={shlex.quote(os.pathsep.join(roots))} " if roots else ""


def _anywhere(source: str) -> str:
    """Return the name of a spec, or its file as any folder knows it."""
    return os.path.abspath(source) if os.path.isfile(source) else source


def settings_of(subject: Subject) -> str:
    """Return the settings as JSON."""
    settings = subject.params.model_dump(mode="json")
    return json.dumps(settings, separators=(",", ":"))
