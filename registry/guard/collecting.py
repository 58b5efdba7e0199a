"""Call a plugin's hooks and reject results that violate their contract."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import pluggy

from registry import hooks as hookspecs
from registry.components import ComponentRegistry, Registration
from registry.errors import InvalidPlugin
from registry.hooks import PROJECT, Command, Migration, Voice
from registry.names import is_name, is_target
from registry.records import Contribution, NamedSpec, PluginRecord
from registry.text import one_line

MAX_ITEMS = 10_000
"""The most items that a hook may return; it bounds endless generators."""

_OF_A_MODEL = ("model_fields", "model_validate", "model_rebuild")
_HOOKS = [name for name in vars(hookspecs) if name.startswith("kokoro_")]


def collect(plugin: Any, record: PluginRecord) -> Contribution:
    """Register a plugin with its own manager and collect the results of its hooks.

    Raises:
        InvalidPlugin: It has no hook, a misspelt one, or a hook whose result violates the
            contract.
    """
    manager = _register(plugin, record)
    contribution = Contribution(
        components=_components(_returned(manager, "kokoro_components", record), record),
        specs=_specs(manager, record),
        commands=_commands(_returned(manager, "kokoro_commands", record), record),
        voices=_voices(_returned(manager, "kokoro_voices", record), record),
        migrations=_migrations(_returned(manager, "kokoro_migrations", record), record),
    )
    ComponentRegistry(contribution.components)  # finds duplicate names here, within this plugin
    _refuse_twice("spec", [each.name for each in contribution.specs], record)
    _refuse_twice("command", [each.name for each in contribution.commands], record)
    _refuse_twice("voice", [each.name for each in contribution.voices], record)
    return contribution


def _register(plugin: Any, record: PluginRecord) -> pluggy.PluginManager:
    # One manager per plugin: in a shared one, a plugin that fails half-way would stay registered.
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, record.name)
    known = ", ".join(f"`{each}`" for each in _HOOKS)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise InvalidPlugin(
            f"`{record.name}` implements a hook that does not exist: {error}; the hooks are {known}"
        ) from None
    if not manager.get_hookcallers(plugin):
        raise InvalidPlugin(
            f"`{record.name}` implements no hook; a plugin marks with `@hookimpl` functions named "
            f"{known}"
        )
    return manager


def _call(manager: pluggy.PluginManager, hook: str, record: PluginRecord) -> list[Any]:
    """Return the results of all implementations of a hook; pluggy itself would drop None."""
    results = []
    for each in getattr(manager.hook, hook).get_hookimpls():
        if each.wrapper or each.hookwrapper:
            raise InvalidPlugin(f"`{record.name}` wraps `{hook}`; a plugin has only its own hooks")
        results.append(each.function())
    return results


def _returned(manager: pluggy.PluginManager, hook: str, record: PluginRecord) -> list[Any]:
    """Return the items of a hook that returns a list or another iterable."""
    items: list[Any] = []
    for result in _call(manager, hook, record):
        if not isinstance(result, Iterable) or isinstance(result, (str, bytes, Mapping)):
            _close(result)
            raise InvalidPlugin(
                f"`{hook}` of `{record.name}` returned {_shown(result)}; it must return a list"
            )
        items += islice(result, MAX_ITEMS + 1)
        if len(items) > MAX_ITEMS:
            raise InvalidPlugin(
                f"`{hook}` of `{record.name}` returned more than {MAX_ITEMS:,} things"
            )
    return items


def _close(result: Any) -> None:
    """Close the coroutine of an ``async def``, which would otherwise warn about a missing await."""
    if inspect.iscoroutine(result):
        result.close()


def _components(items: list[Any], record: PluginRecord) -> tuple[Registration, ...]:
    registrations = []
    for item in items:
        new = Registration(item, record.name, record.distribution, record.version)
        what = f"the {one_line(new.slot, 60)} `{one_line(new.name, 60)}` of `{record.name}`"
        if not (is_name(new.slot) and is_name(new.name)):
            raise InvalidPlugin(f"{what} has a name that no spec can hold; {_NAMES}")
        if inspect.isabstract(item) or not callable(getattr(item, "build", None)):
            raise InvalidPlugin(f"{what} implements no `build`, so it cannot be built")
        missing = [each for each in _OF_A_MODEL if not hasattr(item, each)]
        if missing:
            raise InvalidPlugin(
                f"{what} has no `{missing[0]}`; a params class derives from the base of its slot"
            )
        _resolve_types(item, what)
        registrations.append(new)
    return tuple(registrations)


def _resolve_types(component: Any, what: str) -> None:
    """Reject a class with unresolvable types of settings here, rather than at its first use."""
    try:
        component.model_rebuild()
    except Exception as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidPlugin(
            f"{what} has a setting whose type cannot be resolved: {one_line(why)}"
        ) from None


def _specs(manager: pluggy.PluginManager, record: PluginRecord) -> tuple[NamedSpec, ...]:
    named = []
    for result in _call(manager, "kokoro_specs", record):
        if not isinstance(result, Mapping):
            raise InvalidPlugin(
                f"`kokoro_specs` of `{record.name}` returned {_shown(result)}; it must return a "
                f"mapping of names to files"
            )
        for name, file in result.items():
            _check_name("spec", name, record)
            _check_file(f"the spec `{name}` of `{record.name}`", file)
            named.append(NamedSpec(name, file, record.name))
    return tuple(named)


def _check_file(what: str, file: Any) -> None:
    if not callable(getattr(file, "read_bytes", None)):
        raise InvalidPlugin(
            f"{what} is {_shown(file)}, which is not a file; "
            f"return `importlib.resources.files(…) / …`"
        )
    if not file.is_file():
        raise InvalidPlugin(
            f"{what} is a file that is not there: {one_line(file)}; is it in the package data?"
        )


def _voices(items: list[Any], record: PluginRecord) -> tuple[Voice, ...]:
    _check_kind(Voice, items, record)
    for item in items:
        _check_name("voice", item.name, record)
        _check_file(f"the voice `{item.name}` of `{record.name}`", item.checkpoint)
        _check_file(f"the card of the voice `{item.name}` of `{record.name}`", item.card)
    return tuple(replace(each, plugin=record.name) for each in items)


def _check_kind(kind: type[Any], items: list[Any], record: PluginRecord) -> None:
    for item in items:
        if not isinstance(item, kind):
            raise InvalidPlugin(
                f"`{record.name}` returned {_shown(item)}, which is not a `{kind.__name__}`"
            )


def _commands(items: list[Any], record: PluginRecord) -> tuple[Command, ...]:
    _check_kind(Command, items, record)
    for item in items:
        _check_name("command", item.name, record)
        if not (isinstance(item.target, str) and ":" in item.target and is_target(item.target)):
            raise InvalidPlugin(
                f"the command `{item.name}` of `{record.name}` has the target "
                f"{_shown(item.target)}; write `package.module:function`"
            )
        if not isinstance(item.help, str):
            raise InvalidPlugin(f"the command `{item.name}` of `{record.name}` has no text as help")
    return tuple(replace(each, plugin=record.name) for each in items)


def _migrations(items: list[Any], record: PluginRecord) -> tuple[Migration, ...]:
    _check_kind(Migration, items, record)
    return tuple(replace(each, plugin=record.name) for each in items)


_NAMES = "letters, digits, `_`, `-` and `.` make a name, a letter or digit first, 64 at most"


def _check_name(kind: str, name: object, record: PluginRecord) -> None:
    if not is_name(name):
        raise InvalidPlugin(f"`{record.name}` has a {kind} with the name {_shown(name)}; {_NAMES}")


def _refuse_twice(kind: str, names: list[str], record: PluginRecord) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidPlugin(
                f"`{record.name}` returns the {kind} `{name}` twice; a name must be unique"
            )


def _shown(value: object) -> str:
    try:
        return one_line(repr(value), 80)
    except Exception:
        return f"a {type(value).__name__}"
