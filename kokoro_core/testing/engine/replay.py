"""The shell line that reproduces a failure."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.subjects.blame import modules_of
from kokoro_core.testing.subjects.importable import name_of, roots_of
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject


def replay_line(
    subject: Subject | ModelSubject, check: Check[Any], case: str = "", golden_file: str = ""
) -> str:
    """Return a shell line that runs one check of one component on one case, from any folder.

    It names the params class by module or file, so that it works before a plugin registers the
    component, and sets the path for what is not installed. A class that is local to a function has
    no such line.

    Args:
        subject: The component.
        check: The check that fails.
        case: The data, as JSON; if empty, all data of the check is tried.
        golden_file: The file of the golden keys, which belong to a variant.
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
    """Return the ``PYTHONPATH`` that the modules of the settings and the component need."""
    roots = roots_of(modules_of(subject))
    return f"PYTHONPATH={shlex.quote(os.pathsep.join(roots))} " if roots else ""


def _anywhere(source: str) -> str:
    """Return the name of a spec, or the absolute path of its file."""
    return os.path.abspath(source) if os.path.isfile(source) else source


def settings_of(subject: Subject) -> str:
    """Return the settings as JSON."""
    settings = subject.params.model_dump(mode="json")
    return json.dumps(settings, separators=(",", ":"))
