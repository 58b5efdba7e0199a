"""The commands that list what is installed: ``components``, ``specs`` and ``plugins``."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Annotated, Any

import typer

from kokoro_core.cli.checking import JsonOption
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.cli.session import session_of
from registry import Plugins
from registry.errors import RegistryError, suggestion


def components(
    ctx: typer.Context,
    slot: Annotated[str | None, typer.Argument(help="Only the components of this slot.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the components that specs can name, with the plugin behind each."""
    rows = component_rows(session_of(ctx).plugins, slot)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("slot", "type", "plugin", "distribution", "what it is"),
            (
                (
                    each["slot"],
                    each["type"],
                    each["plugin"],
                    f"{each['distribution']} {each['version']}",
                    each["summary"],
                )
                for each in rows
            ),
        )


def component_rows(plugins: Plugins, slot: str | None) -> list[dict[str, Any]]:
    """Return what there is to say in a line of each component of a slot, or of all.

    Raises:
        RegistryError: No component fills such a slot.
    """
    slots = plugins.components.slots()
    if slot is not None and slot not in slots:
        hint = suggestion(slot, slots) or ";"
        raise RegistryError(f"`{slot}` is no slot{hint} slots: {', '.join(slots)}.")
    rows = []
    for each in sorted(plugins.components, key=lambda found: (found.slot, found.qualified_name)):
        if slot in (None, each.slot):
            short = each.name if each.name in plugins.components.names(each.slot) else None
            rows.append(
                {
                    "slot": each.slot,
                    "type": short or each.qualified_name,
                    "qualified_name": each.qualified_name,
                    "plugin": each.plugin,
                    "distribution": each.distribution,
                    "version": each.version,
                    "summary": summary_of(each.component),
                }
            )
    return rows


def summary_of(component: type[Any]) -> str:
    """Return the first line of a component's docstring."""
    return (inspect.cleandoc(component.__doc__ or "") or " ").splitlines()[0]


def specs(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the named specs."""
    found = session_of(ctx).plugins.specs
    rows = [
        {"name": each.name, "plugin": each.plugin, "file": str(each.file)}
        for each in sorted(found.values(), key=lambda each: each.name)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(("name", "plugin", "file"), (tuple(each.values()) for each in rows))


def plugins(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the plugins: loaded, blocked or broken and why, and how long each took to import."""
    records = session_of(ctx).plugins.records
    if as_json:
        print_json([asdict(each) for each in records])
        return
    print_table(
        ("plugin", "distribution", "status", "import", "why"),
        (
            (
                each.name,
                f"{each.distribution} {each.version}",
                each.status,
                f"{1000 * each.import_seconds:.0f} ms",
                each.cause,
            )
            for each in records
        ),
    )
