"""The pages of the commands, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import typer

from registry import Command, installed_plugins


def command_pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each command, after one with all of them."""
    commands = sorted(installed_plugins().commands.values(), key=lambda each: each.name)
    rows = [f"| [`{each.name}`]({each.name}.md) | {_cell(each.help)} |" for each in commands]
    table = "\n".join(["| command | what it does |", "| --- | --- |", *rows])
    yield "commands/index.md", f"# Every command\n\n{_INTRO}\n\n{table}\n"
    for each in commands:
        yield f"commands/{each.name}.md", _page(each)


_INTRO = (
    "`kokoro-core COMMAND --help` prints the same. What `SPEC` and `--set` mean, and the exit "
    "status: [Commands](../commands.md)."
)


def _page(command: Command) -> str:
    """Return the page of a command, its subcommands included."""
    found = command.load()
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(help=command.help)(found)
        found = app
    name = f"kokoro-core {command.name}"
    return f"# {name}\n\n{''.join(_described(typer.main.get_command(found), name, 2))}"


def _described(command: Any, name: str, level: int) -> Iterator[str]:
    """Yield what a command does and takes, then the same of its subcommands."""
    context = typer.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context)).replace("[[", "[").replace("]]", "]")
    yield f"{(command.help or '').strip()}\n\n```text\n{name} {usage}\n```\n\n"
    params = sorted(command.params, key=lambda each: each.param_type_name)  # arguments first
    rows = [each.get_help_record(context) for each in params]
    if any(rows):
        yield "| argument or option | what it is |\n| --- | --- |\n"
        yield from (f"| {_code(row[0])} | {_cell(row[1])} |\n" for row in rows if row)
        yield "\n"
    for inner, each in getattr(command, "commands", {}).items():
        yield f"{'#' * level} {inner}\n\n"
        yield from _described(each, f"{name} {inner}", level + 1)


def _code(text: str) -> str:
    return f"<code>{escape(text).replace('|', '&#124;')}</code>"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("[", "\\[").split())
