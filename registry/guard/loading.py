"""Import a plugin in its own guard; whatever it does is recorded."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from importlib import metadata
from pathlib import PurePath

import pluggy

from registry.errors import InvalidPlugin, RegistryError
from registry.guard import api_version as api
from registry.guard.collecting import collect
from registry.guard.process_state import watched
from registry.names import is_target
from registry.records import Contribution, PluginRecord, Status
from registry.text import one_line

SLOW_SECONDS = 1.0
"""A slower import is flagged, since every command waits for it."""


_MACHINERY = (("registry",), ("metadata",), ("importlib",))
"""Folders of code that runs plugins; a location there says nothing about the plugin."""


def load(
    entry_point: metadata.EntryPoint, record: PluginRecord
) -> tuple[PluginRecord, Contribution]:
    """Import a plugin and call its hooks.

    Every exception is caught except KeyboardInterrupt, which is the user's. Code that terminates
    the process (``os._exit``) or never returns is not contained: an enabled plugin is code.
    """
    stated = api.api_in_source(entry_point)
    if stated is not None and (found := api.incompatibility(stated, record)):
        return _refused(record, "incompatible", *found), Contribution()
    started = time.perf_counter()
    contribution = Contribution()
    with watched() as effects:
        try:
            record, contribution = _import(entry_point, record)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            record = _refused(record, "broken", _cause(error), _remedy(error, record))
    seconds = time.perf_counter() - started
    flags = effects.flags()
    if seconds > SLOW_SECONDS:
        flags = (*flags, f"takes {seconds:.1f} s to import; at most {SLOW_SECONDS:.0f} s is fair")
    return replace(record, import_seconds=seconds, flags=flags), contribution


def _import(
    entry_point: metadata.EntryPoint, record: PluginRecord
) -> tuple[PluginRecord, Contribution]:
    if not is_target(entry_point.value):
        raise InvalidPlugin(
            f"the entry point of `{record.name}` leads to `{one_line(entry_point.value, 80)}`; "
            f"write `package.module` or `package.module:object`"
        )
    plugin = entry_point.load()
    stated = api.api_of(plugin, record)
    found = api.incompatibility(stated, record)
    if found is not None:
        return _refused(record, "incompatible", *found), Contribution()
    contribution = collect(plugin, record)
    brought = replace(
        record,
        components=tuple(f"{each.slot}/{each.name}" for each in contribution.components),
        specs=tuple(each.name for each in contribution.specs),
        commands=tuple(each.name for each in contribution.commands),
        voices=tuple(each.name for each in contribution.voices),
        api=stated,
    )
    return brought, contribution


def _refused(record: PluginRecord, status: Status, cause: str, remedy: str) -> PluginRecord:
    return replace(record, status=status, cause=cause, remedy=remedy)


def _cause(error: BaseException) -> str:
    """Return what was raised, and its location in the plugin."""
    text = one_line(error)
    if isinstance(error, (RegistryError, pluggy.PluginValidationError)):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    file = PurePath(frames[-1].filename if frames else "<unknown>")
    known = not file.name.startswith("<") and file.parts[-2:-1] not in _MACHINERY
    place = f" ({file.name}:{frames[-1].lineno})" if known else ""
    return f"{type(error).__name__}{f': {text}' if text else ''}{place}"


def _remedy(error: BaseException, record: PluginRecord) -> str:
    without = f"`--no-plugin {record.name}` runs without it"
    if isinstance(error, ModuleNotFoundError) and error.name:
        own = record.target.partition(":")[0]
        if own == error.name or own.startswith(f"{error.name}."):
            return f"its module is not installed; install {record.origin} anew, or {without}"
        return (
            f"install what brings the module `{error.name}`, or {record.origin} anew with its "
            f"dependencies; {without}"
        )
    return f"install another version of {record.origin} or tell its author; {without}"
