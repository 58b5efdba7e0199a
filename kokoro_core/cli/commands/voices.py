"""The command ``voices``: what speaks right after the install, and what it was made of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kokoro_core.cli.output import print_json, print_table
from kokoro_core.cli.session import session_of
from kokoro_core.cli.toolkit import JsonOption
from registry import Plugins, Voice
from registry.errors import RegistryError
from registry.text import suggestion


def voices(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Print the card of this voice.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the trained voices, or print the card of one: data, licence, figures."""
    plugins = session_of(ctx).plugins
    if name is not None:
        found = voice_called(name, plugins)
        row = {**_row(found), "card": found.card.read_text(encoding="utf-8")}
        if as_json:
            print_json(row)
        else:
            print(row["card"].rstrip())
        return
    rows = [_row(each) for _, each in sorted(plugins.voices.items())]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("voice", "MB", "plugin", "what it is"),
        (
            (each["name"], f"{each['bytes'] / 1e6:.1f}", each["plugin"], each["what"])
            for each in rows
        ),
    )


def voice_called(name: str, plugins: Plugins) -> Voice:
    """Return a voice by its name.

    Raises:
        RegistryError: No plugin has one of that name, or several do.
    """
    found = plugins.voice(name)
    if found is not None:
        return found
    known = sorted(plugins.voices)
    hint = suggestion(name, known) or ";"
    raise RegistryError(
        f"`{name}` is not a voice{hint} there are {', '.join(known) or 'none; install a plugin'}."
    )


def _row(voice: Voice) -> dict[str, Any]:
    """Return what a table has of a voice; its card begins with a heading and a sentence."""
    lines = [each.strip() for each in voice.card.read_text(encoding="utf-8").splitlines()]
    said = [each for each in lines if each and not each.startswith("#")]
    return {
        "name": voice.name,
        "plugin": voice.plugin,
        "bytes": len(voice.checkpoint.read_bytes()),
        "what": said[0] if said else "",
    }
