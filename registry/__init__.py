"""Floor 0: slots, components and plugins. Independent of torch and of speech."""

from typing import TYPE_CHECKING, NoReturn

from registry.components import ComponentRegistry, Registration
from registry.guard.api_version import API_VERSION, OLDEST_API
from registry.guard.discovery import discover, installed_plugins
from registry.guard.policy import Policy
from registry.hooks import Command, Migration, Voice, hookimpl
from registry.records import NamedSpec, PluginRecord, Plugins
from registry.slot import ComponentClass, Slot

__all__ = [
    "API_VERSION",
    "OLDEST_API",
    "Command",
    "ComponentClass",
    "ComponentRegistry",
    "Migration",
    "NamedSpec",
    "PluginRecord",
    "Plugins",
    "Policy",
    "Registration",
    "Slot",
    "Voice",
    "discover",
    "hookimpl",
    "installed_plugins",
]


if not TYPE_CHECKING:  # a type checker would take it to have every name

    def __getattr__(name: str) -> NoReturn:
        """Explain whose package this is: a user's own ``registry.py`` may be meant."""
        raise AttributeError(
            f"`registry`, which comes with kokoro-core, has no `{name}`; a module of your own "
            f"needs another name."
        )
