"""Floor 0: slots, components and plugins. Knows no torch and no word of speech."""

from registry.components import ComponentRegistry, Registration
from registry.discovery import NamedSpec, PluginRecord, Plugins, discover, installed_plugins
from registry.hookspecs import Command, Migration, hookimpl
from registry.slot import Slot

__all__ = [
    "Command",
    "ComponentRegistry",
    "Migration",
    "NamedSpec",
    "PluginRecord",
    "Plugins",
    "Registration",
    "Slot",
    "discover",
    "hookimpl",
    "installed_plugins",
]
