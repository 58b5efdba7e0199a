"""The contract of the hooks that a plugin may implement.

A plugin is a module (or an object) behind an entry point of the group ``kokoro.plugins``. Its
hooks return what the plugin brings; they register nothing themselves, so a hook that fails half-way
leaves nothing behind. The module of the hooks must be cheap to import: no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources.abc import Traversable
from typing import Any

import pluggy

from registry.slot import ComponentClass

PROJECT = "kokoro"
ENTRY_POINT_GROUP = "kokoro.plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Command:
    """A command of the command line, imported when it is run.

    Attributes:
        name: What the user types.
        help: One line for the list of commands.
        target: The function that runs it, as ``package.module:function``.
    """

    name: str
    help: str
    target: str

    def load(self) -> Any:
        """Import the function that runs the command."""
        module, _, function = self.target.partition(":")
        return getattr(import_module(module), function)


@hookspec
def kokoro_components() -> Iterable[ComponentClass]:
    """Return the params classes of the plugin's components."""
    raise NotImplementedError


@hookspec
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the plugin's named specs: for each name the spec file, usually a package resource."""
    raise NotImplementedError


@hookspec
def kokoro_commands() -> Iterable[Command]:
    """Return the plugin's commands."""
    raise NotImplementedError
