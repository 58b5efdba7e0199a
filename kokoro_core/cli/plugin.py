"""The core's own commands, by the hook that is there for anybody's."""

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
        "Look at checkpoints, verify, compare and convert them.",
    ),
    "components": (
        "listing:components",
        "List the components that specs can name, with the plugin behind each.",
    ),
    "conformance": (
        "conformance:conformance",
        "Check what components promise: padding, batches, steps, caches, weights and more.",
    ),
    "describe": (
        "describe:describe",
        "Describe a component (its settings) or a spec (its parts and what they cost).",
    ),
    "diff": (
        "diff:diff",
        "Say how two specs differ in what they mean, and how size and compute change.",
    ),
    "graph": (
        "graph:graph",
        "Draw a model: its parts, what flows between them and its shape; imports no torch.",
    ),
    "new-plugin": (
        "new_plugin:new_plugin",
        "Write a plugin with one working component, its tests and its packaging.",
    ),
    "new-spec": (
        "new_spec:new_spec",
        "Write a spec with every default and a comment a key; asks if it is given no option.",
    ),
    "plugins": (
        "listing:plugins",
        "List the plugins: what each brings, its import time, and what is wrong with it.",
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
        "List the named specs: how large each model is and what it is for.",
    ),
    "synthesize": (
        "synthesize:synthesize",
        "Speak a text with a trained model and write a 16-bit wav; status 1 if words are lost.",
    ),
    "upgrade": (
        "upgrade:upgrade",
        "Rewrite specs of an old format, comments kept, and check what came of them.",
    ),
}
"""For each command its function and the line that says what it does."""


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return every command that needs no plugin but this one."""
    return [
        Command(name=name, help=help_line, target=f"{_HOME}.{function}")
        for name, (function, help_line) in _COMMANDS.items()
    ]
