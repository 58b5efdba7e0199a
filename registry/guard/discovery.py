"""Find the installed plugins, load each in its own guard and record the results.

The loop is our own: pluggy's loader stops at the first plugin that raises, and silently skips a
second distribution whose name is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import metadata

from registry.components import ComponentRegistry
from registry.guard.conflicts import contested_plugin_names, resolve_conflicts
from registry.guard.loading import load
from registry.guard.policy import Policy
from registry.guard.slot_owners import Loaded
from registry.hooks import ENTRY_POINT_GROUP
from registry.names import canonical, is_name
from registry.records import PluginRecord, Plugins, by_name
from registry.text import one_line

UNKNOWN = "unknown"


@functools.cache
def installed_plugins() -> Plugins:
    """Return the plugins of this environment, discovered once per process and immutable.

    Raises:
        InvalidPolicy: An environment variable that controls plugins has an invalid value.
    """
    return discover(Policy.from_environment())


def discover(
    policy: Policy | None = None, *, entry_points: Iterable[metadata.EntryPoint] | None = None
) -> Plugins:
    """Load every plugin that the policy permits.

    A plugin that raises is recorded as broken and leaves nothing behind; the others are
    unaffected. The result does not depend on the order of the entry points.

    Args:
        policy: What may be imported; None: everything.
        entry_points: Where to look; None: the group ``kokoro.plugins`` of the environment.
    """
    policy = policy or Policy()
    unreadable: list[PluginRecord] = []
    if entry_points is None:
        entry_points, unreadable = installed_entry_points()
    found = sorted(_with_records(entry_points), key=_by_name_and_origin)
    records = [record for record, _ in found]
    kept, refused = _refuse_early(found, policy)
    loaded = resolve_conflicts(load(entry_point, record) for record, entry_point in kept)
    return _gather(loaded, [*refused, *unreadable], policy.unmatched([*records, *unreadable]))


def installed_entry_points() -> tuple[list[metadata.EntryPoint], list[PluginRecord]]:
    """Return the entry points of all distributions, and records of those with unreadable lists.

    A single unreadable list makes the standard library's look-up fail for all.
    """
    try:
        return list(metadata.entry_points(group=ENTRY_POINT_GROUP)), []
    except Exception:  # a broken distribution may raise anything
        return _entry_points_one_by_one()


def _entry_points_one_by_one() -> tuple[list[metadata.EntryPoint], list[PluginRecord]]:
    entry_points: list[metadata.EntryPoint] = []
    unreadable: list[PluginRecord] = []
    seen: set[str] = set()
    for dist in metadata.distributions():
        name, version = _identity(dist)
        if name != UNKNOWN and canonical(name) in seen:
            continue  # a later folder of the path; imports use the first one
        seen.add(canonical(name))
        try:
            entry_points += dist.entry_points.select(group=ENTRY_POINT_GROUP)
        except Exception as error:
            if _mentions_us(dist):
                cause = f"its entry points cannot be read: {one_line(error)}"
                remedy = f"install `{name}` anew or uninstall it"
                unreadable.append(
                    PluginRecord(name, "", name, version, "broken", cause, remedy=remedy)
                )
    return entry_points, unreadable


def _mentions_us(dist: metadata.Distribution) -> bool:
    """Return whether an unreadable list may concern our group; one without text may."""
    try:
        return ENTRY_POINT_GROUP in (dist.read_text("entry_points.txt") or "")
    except Exception:  # not even text
        return True


def _identity(dist: metadata.Distribution | None) -> tuple[str, str]:
    """Return name and version of a distribution, as far as its metadata can be read."""
    values = []
    for attribute in ("name", "version"):
        try:
            value = getattr(dist, attribute)
        except Exception:  # the file is missing or not text
            value = None
        values.append(one_line(value, 80) if value else UNKNOWN)
    return values[0], values[1]


def _with_records(
    entry_points: Iterable[metadata.EntryPoint],
) -> Iterator[tuple[PluginRecord, metadata.EntryPoint]]:
    """Yield each entry point with its record; the metadata of a distribution are parsed once."""
    identities: dict[int, tuple[str, str]] = {}
    for each in entry_points:
        if id(each.dist) not in identities:
            identities[id(each.dist)] = _identity(each.dist)
        name, version = identities[id(each.dist)]
        yield PluginRecord(one_line(each.name, 80), each.value, name, version), each


def _by_name_and_origin(found: tuple[PluginRecord, metadata.EntryPoint]) -> tuple[str, ...]:
    record = found[0]
    return record.name, record.distribution, record.version, record.target


def _refuse_early(
    found: Sequence[tuple[PluginRecord, metadata.EntryPoint]], policy: Policy
) -> tuple[list[tuple[PluginRecord, metadata.EntryPoint]], list[PluginRecord]]:
    """Separate the plugins to import from those rejected before any is imported."""
    refused: list[PluginRecord] = []
    kept: list[tuple[PluginRecord, metadata.EntryPoint]] = []
    for record, entry_point in found:
        refusal = policy.refusal(record)
        cause = _bad_metadata(entry_point, record)
        if refusal is not None:
            refused.append(replace(record, status="blocked", cause=refusal[0], remedy=refusal[1]))
        elif cause is not None:
            remedy = f"install {record.origin} anew, or another version of it"
            refused.append(replace(record, status="broken", cause=cause, remedy=remedy))
        else:
            kept.append((record, entry_point))
    contested = contested_plugin_names([record for record, _ in kept])
    left = [each for index, each in enumerate(kept) if index not in contested]
    return left, [*refused, *contested.values()]


def _bad_metadata(entry_point: metadata.EntryPoint, record: PluginRecord) -> str | None:
    if not is_name(entry_point.name):
        return f"`{record.name}` is not a valid plugin name; use the name of the distribution"
    if entry_point.dist is not None and UNKNOWN in (record.distribution, record.version):
        return "the metadata of its distribution has no readable name and version"
    return None


def _gather(
    loaded: Sequence[Loaded], others: Sequence[PluginRecord], unmatched: tuple[str, ...]
) -> Plugins:
    """Combine the contributions."""
    records = [*(record for record, _ in loaded), *others]
    records.sort(key=lambda each: (each.name, each.distribution, each.version, each.target))
    every = [contribution for _, contribution in loaded]
    return Plugins(
        records=tuple(records),
        components=ComponentRegistry(new for each in every for new in each.components),
        specs=by_name(spec for each in every for spec in each.specs),
        commands=by_name(command for each in every for command in each.commands),
        voices=by_name(voice for each in every for voice in each.voices),
        migrations=tuple(step for each in every for step in each.migrations),
        unmatched=unmatched,
    )
