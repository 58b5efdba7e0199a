"""The contract of the hooks that a plugin may implement.

A plugin is a module (or an object) behind an entry point of the group ``kokoro.plugins``. Its
hooks return what the plugin provides; they register nothing themselves, so a hook that fails
half-way leaves nothing behind. The module with the hooks must be cheap to import: no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources.abc import Traversable
from operator import attrgetter
from typing import Any

import pluggy

from registry.errors import InvalidPlugin
from registry.slot import ComponentClass

PROJECT = "kokoro"
ENTRY_POINT_GROUP = "kokoro.plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Command:
    """A command of the command line, imported when it runs.

    Attributes:
        name: What the user types.
        help: One line for the list of commands.
        target: The function that runs it, as ``package.module:function``.
        plugin: The plugin that returned it, filled in when it is loaded.
    """

    name: str
    help: str
    target: str
    plugin: str = ""

    def load(self) -> Any:
        """Import the function that runs the command.

        Raises:
            InvalidPlugin: There is no such module, or no such function in it.
        """
        module, _, function = self.target.partition(":")
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # a dependency of the command's module is missing
            raise self._leads_nowhere(f"there is no module `{error.name}`") from None
        try:
            run = attrgetter(function)(found)
        except AttributeError:
            raise self._leads_nowhere(f"`{module}` has no `{function}`") from None
        if not callable(run):
            raise self._leads_nowhere(f"`{function}` is not a function")
        return run

    def _leads_nowhere(self, why: str) -> InvalidPlugin:
        return InvalidPlugin(
            f"the command `{self.name}` of the plugin `{self.plugin or 'unknown'}` leads to "
            f"`{self.target}`, but {why}; install another version of the plugin or tell its author."
        )


def _as_it_is(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return settings


@dataclass(frozen=True)
class Migration:
    """One step from the old settings of a component to the next ones.

    A spec does not record the version of a plugin for which it was written, so a migration
    recognises old settings by their keys and leaves new ones unchanged. A change that keys do not
    reveal needs a new name.

    Attributes:
        slot: The slot of the component.
        name: Its registered name, or a former one.
        from_version: 1 for the first version of the settings, then 2 …; steps run in this order.
        function: Maps old settings, including ``type``, to new ones; pure.
        moves: Keys that moved, from old dotted path to new; they are moved before `function`
            is called, and the comments of a file move with them.
        plugin: The plugin that returned it, filled in when it is loaded.
    """

    slot: str
    name: str
    from_version: int
    function: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _as_it_is
    moves: Mapping[str, str] = field(default_factory=dict)
    plugin: str = ""


@dataclass(frozen=True)
class Voice:
    """A trained model that a plugin ships, to be spoken with by its name.

    Attributes:
        name: What the user types where a checkpoint is asked for.
        checkpoint: The file with model, spec and vocoder, usually a package resource.
        card: A Markdown file: of what it was made, under which licence, and how well it speaks.
        plugin: The plugin that returned it, filled in when it is loaded.
    """

    name: str
    checkpoint: Traversable
    card: Traversable
    plugin: str = ""


@hookspec
def kokoro_components() -> Iterable[ComponentClass]:
    """Return the params classes of the plugin's components."""
    raise NotImplementedError


@hookspec
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the plugin's named specs: a mapping of names to files, usually package resources."""
    raise NotImplementedError


@hookspec
def kokoro_commands() -> Iterable[Command]:
    """Return the plugin's commands."""
    raise NotImplementedError


@hookspec
def kokoro_voices() -> Iterable[Voice]:
    """Return the plugin's trained voices."""
    raise NotImplementedError


@hookspec
def kokoro_migrations() -> Iterable[Migration]:
    """Return the steps that upgrade old settings of the plugin's components."""
    raise NotImplementedError
