"""Find the installed plugins, load each in its own guard and keep a record of each.

The loop is our own: pluggy's loader stops at the first plugin that raises and skips in silence a
second distribution with a name that is taken.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from importlib.resources.abc import Traversable
from typing import Any, Literal

import pluggy

from registry import hookspecs
from registry.components import ComponentRegistry, Registration
from registry.errors import InvalidPlugin, UnknownNamedSpec
from registry.hookspecs import ENTRY_POINT_GROUP, PROJECT, Command, Migration

Status = Literal["loaded", "blocked", "broken"]


@dataclass(frozen=True)
class PluginRecord:
    """What became of one plugin.

    Attributes:
        name: The name of its entry point.
        target: The object behind the entry point.
        distribution: The distribution that brings it, with its `version`.
        status: ``loaded``, ``blocked`` (asked not to be imported) or ``broken``.
        cause: Why it is broken, or None.
        import_seconds: How long importing it took.
    """

    name: str
    target: str
    distribution: str
    version: str
    status: Status = "loaded"
    cause: str | None = None
    import_seconds: float = 0.0


@dataclass(frozen=True)
class NamedSpec:
    """A spec file that a plugin ships under a name."""

    name: str
    file: Traversable
    plugin: str


@dataclass(frozen=True)
class Contribution:
    """What one plugin's hooks returned, complete or not at all."""

    components: tuple[Registration, ...] = ()
    specs: tuple[NamedSpec, ...] = ()
    commands: tuple[Command, ...] = ()
    migrations: tuple[Migration, ...] = ()


@dataclass(frozen=True)
class Plugins:
    """The result of a discovery: records of all plugins and what the loaded ones bring."""

    records: tuple[PluginRecord, ...] = ()
    components: ComponentRegistry = field(default_factory=ComponentRegistry)
    specs: Mapping[str, NamedSpec] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()

    def named_spec(self, name: str) -> NamedSpec:
        """Return a named spec.

        Raises:
            UnknownNamedSpec: No loaded plugin ships one of that name.
        """
        if name not in self.specs:
            raise UnknownNamedSpec(name, sorted(self.specs))
        return self.specs[name]


@functools.cache
def installed_plugins() -> Plugins:
    """Return the plugins of this environment, found once in a process and never changed."""
    return discover()


def discover(
    *,
    block: Iterable[str] = (),
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> Plugins:
    """Load every plugin but the blocked ones.

    A plugin that raises is recorded as broken and leaves nothing behind; the others load all the
    same. The result does not depend on the order of the entry points.

    Args:
        block: Names of plugins that are not to be imported.
        entry_points: Where to look; None: the group ``kokoro.plugins`` of the environment.
    """
    found = metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points
    ordered = sorted(found, key=lambda each: (each.name, each.dist.name if each.dist else ""))
    blocked = frozenset(block)
    loaded: dict[str, tuple[PluginRecord, Contribution]] = {}
    others: list[PluginRecord] = []
    for entry_point in ordered:
        record = _record(entry_point)
        if record.name in blocked:
            others.append(replace(record, status="blocked"))
        elif record.name in loaded:
            others.append(_refuse_taken_name(record, loaded[record.name][0]))
        else:
            record, contribution = _load(entry_point, record)
            loaded[record.name] = (record, contribution)
    return _gather(list(loaded.values()), others)


def _record(entry_point: metadata.EntryPoint) -> PluginRecord:
    dist = entry_point.dist
    return PluginRecord(
        name=entry_point.name,
        target=entry_point.value,
        distribution=dist.name if dist else "unknown",
        version=dist.version if dist else "unknown",
    )


def _refuse_taken_name(record: PluginRecord, owner: PluginRecord) -> PluginRecord:
    cause = (
        f"`{record.name}` is already the plugin of `{owner.distribution}` {owner.version}; "
        f"the entry point of `{record.distribution}` {record.version} needs another name."
    )
    return replace(record, status="broken", cause=cause)


def _load(
    entry_point: metadata.EntryPoint, record: PluginRecord
) -> tuple[PluginRecord, Contribution]:
    """Import one plugin and ask its hooks; whatever it raises becomes its record."""
    started = time.perf_counter()
    try:
        plugin = entry_point.load()
        seconds = time.perf_counter() - started
        contribution = _ask(plugin, record)
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - started
        return replace(record, status="broken", cause=cause, import_seconds=seconds), Contribution()
    return replace(record, import_seconds=seconds), contribution


def _ask(plugin: Any, record: PluginRecord) -> Contribution:
    """Register one plugin with a manager of its own and collect what its hooks return."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, record.name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        message = f"`{record.name}` implements a hook that does not exist: {error}"
        raise InvalidPlugin(message) from None
    components = [each for returned in manager.hook.kokoro_components() for each in returned]
    specs = {name: file for each in manager.hook.kokoro_specs() for name, file in each.items()}
    commands = [each for returned in manager.hook.kokoro_commands() for each in returned]
    registrations = tuple(
        Registration(each, record.name, record.distribution, record.version) for each in components
    )
    ComponentRegistry(registrations)  # a name registered twice is this plugin's fault alone
    for command in commands:
        if not isinstance(command, Command):
            raise InvalidPlugin(f"`{record.name}` returned {command!r}, which is not a `Command`.")
    migrations = [each for returned in manager.hook.kokoro_migrations() for each in returned]
    for migration in migrations:
        if not isinstance(migration, Migration):
            raise InvalidPlugin(
                f"`{record.name}` returned {migration!r}, which is not a `Migration`."
            )
    named = tuple(NamedSpec(name, file, record.name) for name, file in specs.items())
    return Contribution(registrations, named, tuple(commands), tuple(migrations))


def _gather(loaded: list[tuple[PluginRecord, Contribution]], others: list[PluginRecord]) -> Plugins:
    """Join the contributions; a named spec or a command that is taken breaks the later plugin."""
    records, components = list(others), list[Registration]()
    specs: dict[str, NamedSpec] = {}
    commands: dict[str, Command] = {}
    migrations = list[Migration]()
    for record, contribution in loaded:
        taken = [each.name for each in contribution.specs if each.name in specs]
        taken += [each.name for each in contribution.commands if each.name in commands]
        if taken:
            cause = f"`{taken[0]}` is already a spec or a command of another plugin."
            records.append(replace(record, status="broken", cause=cause))
            continue
        records.append(record)
        components += contribution.components
        specs.update({each.name: each for each in contribution.specs})
        commands.update({each.name: each for each in contribution.commands})
        migrations += contribution.migrations
    records.sort(key=lambda each: (each.name, each.distribution))
    table = ComponentRegistry(components)
    return Plugins(tuple(records), table, specs, commands, tuple(migrations))
