"""The section ``plugins`` of a spec: the distributions that it needs, with their versions."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from kokoro_core.spec.problems.problem import Problem
from kokoro_core.spec.text.document import Document
from registry import PluginRecord, Plugins
from registry.text import shorten


def unmet_needs(
    needs: Mapping[str, str], document: Document, plugins: Plugins
) -> Iterator[Problem]:
    """Yield a problem for each distribution that is missing, not loaded or of another version."""
    if not needs:
        return
    from packaging.utils import (  # imported only for specs with the section
        InvalidName,
        canonicalize_name,
    )

    records: dict[str, list[PluginRecord]] = {}
    for record in plugins.records:
        records.setdefault(canonicalize_name(record.distribution), []).append(record)
    for name, wanted in needs.items():
        try:
            canonical = canonicalize_name(name, validate=True)
        except InvalidName:  # an advised command has it in it, so it must be nothing else
            message = (
                f"'{shorten(name)}' is not the name of a distribution; write one such as my-plugin"
            )
            yield document.problem("wrong-value", ("plugins", name), message, at_key=True)
            continue
        found = _unmet(name, wanted, records.get(canonical, []))
        if found is not None:
            yield document.problem(found[0], ("plugins", name), found[1])


def _unmet(name: str, wanted: str, records: list[PluginRecord]) -> tuple[str, str] | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifier = SpecifierSet(wanted)
    except InvalidSpecifier:
        return "wrong-value", f"'{wanted}' is no range of versions; write one such as '>=1.2,<2'"
    if not records:
        install = f"python -m pip install {shlex.quote(name + wanted)}"
        return "plugin-missing", f"no plugin of '{name}' is installed; {install}"
    version = records[0].version
    if not specifier.contains(version, prereleases=True):
        return "plugin-version", f"needs '{name}' {wanted} but {version} is installed"
    for record in records:
        if record.status != "loaded":
            return f"plugin-{record.status}", record.why
    return None
