"""The core's own commands, registered by the same hook as those of plugins."""

from __future__ import annotations

from registry import Command, hookimpl

_HOME = "kokoro_core.cli.commands"

_COMMANDS = {
    "check": (
        "check:check",
        "Check specs and report every problem with its line and column; imports no torch.",
    ),
    "checkpoint": (
        "checkpoint.group:checkpoint",
        "Inspect, verify, compare, convert and import checkpoints, and attach vocoders.",
    ),
    "components": (
        "listing:components",
        "List the components that specs can name, with the plugin behind each.",
    ),
    "conformance": (
        "conformance:conformance",
        "Test components against their contracts: padding, batches, steps, caches and weights.",
    ),
    "describe": (
        "describe:describe",
        "Describe a component (its settings) or a spec (its parts and their cost).",
    ),
    "diff": (
        "diff:diff",
        "Show how two specs differ in meaning, and how size and compute change.",
    ),
    "graph": (
        "graph:graph",
        "Draw a model: its parts and the tensors between them with shapes; imports no torch.",
    ),
    "new-plugin": (
        "new_plugin:new_plugin",
        "Write a plugin with one working component, its tests and its packaging.",
    ),
    "new-spec": (
        "new_spec:new_spec",
        "Write a spec with every default and a comment per key; asks if no option is given.",
    ),
    "plugins": (
        "listing:plugins",
        "List the plugins with their contents, import time and problems.",
    ),
    "resolve": (
        "resolve:resolve",
        "Print a spec in full: every default, every inherited width, qualified names.",
    ),
    "schema": (
        "schema:schema",
        "Print the JSON Schema of specs, with the components of the installed plugins.",
    ),
    "specs": (
        "listing:specs",
        "List the named specs with their size and purpose.",
    ),
    "synthesize": (
        "synthesize:synthesize",
        "Synthesize a text with a trained model to a 16-bit wav; status 1 if words are lost.",
    ),
    "upgrade": (
        "upgrade:upgrade",
        "Rewrite specs of an old format, keeping comments, and check the result.",
    ),
    "voices": (
        "voices:voices",
        "List the trained voices, or print the card of one: data, licence, figures.",
    ),
}
"""The function and help line of each command."""


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the commands that need no other plugin."""
    return [
        Command(name=name, help=help_line, target=f"{_HOME}.{function}")
        for name, (function, help_line) in _COMMANDS.items()
    ]
