"""The version of the hooks: the one that a plugin declares, and those supported here."""

from __future__ import annotations

import ast
from importlib import metadata
from pathlib import Path

from registry.errors import InvalidPlugin
from registry.names import BUILT_IN_DISTRIBUTION
from registry.records import PluginRecord

API_VERSION = 2
"""The version of the hooks and contracts in this installation."""

OLDEST_API = 1
"""The oldest version for which plugins may be written."""

ATTRIBUTE = "KOKORO_API"


def api_in_source(entry_point: metadata.EntryPoint) -> int | None:
    """Return the version stated in a plugin's file, without running it; None if not found.

    A plugin for later hooks usually fails on import, with an error that hides the reason. So the
    line ``KOKORO_API = 2`` is read from its source, if that is installed with its distribution.
    """
    if entry_point.dist is None:
        return None
    module = entry_point.value.partition(":")[0].strip().replace(".", "/")
    for file in (f"{module}.py", f"{module}/__init__.py"):
        try:
            source = Path(str(entry_point.dist.locate_file(file))).read_bytes()
        except (OSError, ValueError):
            continue
        return _stated(source) if ATTRIBUTE.encode() in source else None
    return None


def _stated(source: bytes) -> int | None:
    try:
        body = ast.parse(source).body  # not imported: that may fail for the very reason sought
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the import gives a better error
    for node in body:
        names = [each.id for each in _targets(node) if isinstance(each, ast.Name)]
        if ATTRIBUTE in names and isinstance(node, (ast.Assign, ast.AnnAssign)):
            value = node.value
            if isinstance(value, ast.Constant) and type(value.value) is int:
                return value.value
    return None


def _targets(node: ast.stmt) -> list[ast.expr]:
    """Return the targets of an assignment, ``x = …`` or ``x: int = …``."""
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def api_of(plugin: object, record: PluginRecord) -> int:
    """Return the version stated by an imported plugin; 1 if it states none.

    Raises:
        InvalidPlugin: The stated value is not a version.
    """
    stated = getattr(plugin, ATTRIBUTE, 1)
    if type(stated) is not int or stated < 1:
        raise InvalidPlugin(
            f"`{record.name}` states `{ATTRIBUTE} = {stated!r}`; a version of the hooks is a whole "
            f"number from 1."
        )
    return stated


def incompatibility(api: int, record: PluginRecord) -> tuple[str, str] | None:
    """Return why a plugin for a version of the hooks cannot be used and what to install."""
    cause = f"it was written for version {api} of the hooks, this installation has {API_VERSION}"
    if api > API_VERSION:
        return cause, (
            f"python -m pip install --upgrade {BUILT_IN_DISTRIBUTION}, or an older version of "
            f"`{record.distribution}` than {record.version}"
        )
    if api < OLDEST_API:
        return cause, f"python -m pip install --upgrade {record.distribution}"
    return None
