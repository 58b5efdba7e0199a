"""Floor 0: slots, components and plugins. Knows no torch and no word of speech."""

from registry.components import ComponentRegistry, Registration
from registry.discovery import discover, installed_plugins
from registry.hookspecs import Command, Migration, hookimpl
from registry.policy import Policy
from registry.records import NamedSpec, PluginRecord, Plugins
from registry.slot import Slot

__all__ = [
    "Command",
    "ComponentRegistry",
    "Migration",
    "NamedSpec",
    "PluginRecord",
    "Plugins",
    "Policy",
    "Registration",
    "Slot",
    "discover",
    "hookimpl",
    "installed_plugins",
]
