"""The section ``plugins`` of a spec: the distributions that it needs, with their versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kokoro_core.spec.document import Document
from kokoro_core.spec.problems import Problem
from registry import PluginRecord, Plugins


def unmet_needs(
    needs: Mapping[str, str], document: Document, plugins: Plugins
) -> Iterator[Problem]:
    """Yield a problem for each distribution that is missing, not loaded or of another version."""
    if not needs:
        return
    from packaging.utils import canonicalize_name  # imported only for specs with the section

    records: dict[str, list[PluginRecord]] = {}
    for record in plugins.records:
        records.setdefault(canonicalize_name(record.distribution), []).append(record)
    for name, wanted in needs.items():
        found = _unmet(name, wanted, records.get(canonicalize_name(name), []))
        if found is not None:
            yield document.problem(found[0], ("plugins", name), found[1])


def _unmet(name: str, wanted: str, records: list[PluginRecord]) -> tuple[str, str] | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifier = SpecifierSet(wanted)
    except InvalidSpecifier:
        return "wrong-value", f"'{wanted}' is no range of versions; write one such as '>=1.2,<2'"
    if not records:
        install = f"python -m pip install '{name}{wanted}'"
        return "plugin-missing", f"no plugin of '{name}' is installed; {install}"
    version = records[0].version
    if not specifier.contains(version, prereleases=True):
        return "plugin-version", f"needs '{name}' {wanted} but {version} is installed"
    for record in records:
        if record.status != "loaded":
            return f"plugin-{record.status}", record.why
    return None
