"""Which version of the list of checks counts for a subject."""

from __future__ import annotations

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.rules.wiring import parts_of
from kokoro_core.testing.checks import CONFORMANCE_VERSION, VERSION_OF_API
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject
from registry import installed_plugins


def counting_version(subject: Subject | ModelSubject) -> int:
    """Return the version that counts: the oldest for which one of the subject's parts is written.

    A class that no plugin registers states no version, and is taken for one of the first.
    """
    parts = parts_of(subject.spec).values() if isinstance(subject, ModelSubject) else ()
    apis = [_api_of(each) for each in parts or [subject.params]]  # type: ignore[union-attr]
    return min(VERSION_OF_API.get(each, CONFORMANCE_VERSION) for each in apis)


def _api_of(params: ComponentParams) -> int:
    """Return the ``KOKORO_API`` of the plugin that registers a component."""
    plugins = installed_plugins()
    found = plugins.components.registration(type(params))
    stated = [each.api for each in plugins.records if found and each.name == found.plugin]
    return stated[0] if stated else 1
