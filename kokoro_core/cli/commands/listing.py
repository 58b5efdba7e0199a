"""The commands that list what is installed: ``components``, ``specs`` and ``plugins``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from kokoro_core.cli.output import print_json, print_table
from kokoro_core.cli.session import session_of
from kokoro_core.cli.toolkit import JsonOption
from registry import PluginRecord, Plugins, Slot
from registry.errors import RegistryError
from registry.text import suggestion


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
    """Return one row per component of a slot, or of all slots.

    Raises:
        RegistryError: No component fills such a slot.
    """
    if slot is not None:
        check_slot(slot, plugins)
    rows = []
    for each in sorted(plugins.components, key=lambda found: (found.slot, found.qualified_name)):
        if slot in (None, each.slot):
            rows.append(
                {
                    "slot": each.slot,
                    "type": plugins.components.name_of(each),
                    "qualified_name": each.qualified_name,
                    "plugin": each.plugin,
                    "distribution": each.distribution,
                    "version": each.version,
                    "summary": summary_of(each.component),
                }
            )
    return rows


def check_slot(slot: str, plugins: Plugins) -> None:
    """Reject a slot that no component fills; built-in slots are known without their plugins.

    Raises:
        RegistryError: No component fills such a slot.
    """
    from kokoro_core import slots as own

    filled = plugins.components.slots()
    if slot in filled:
        return
    known = {each.name for each in vars(own).values() if isinstance(each, Slot)}
    if slot in known:
        why = plugins.not_loaded(slot) or "install a plugin that brings one"
        raise RegistryError(f"no component for the slot `{slot}` is registered; {why}.")
    known |= {*filled}
    hint = suggestion(slot, sorted(known)) or ";"
    raise RegistryError(f"`{slot}` is not a slot{hint} slots: {', '.join(sorted(known))}.")


def summary_of(component: type[Any]) -> str:
    """Return the first line of a component's docstring."""
    return (inspect.cleandoc(component.__doc__ or "") or " ").splitlines()[0]


def specs(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the named specs with their size and purpose."""
    rows = spec_rows(session_of(ctx).plugins)
    if as_json:
        print_json(rows)
    else:
        columns = ("name", "parameters", "plugin", "what it is")
        print_table(columns, ([_cell(each[key]) for key in ROW_KEYS] for each in rows))


ROW_KEYS = ("name", "parameters", "plugin", "purpose")


def _cell(value: str | int | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or ""


def spec_rows(plugins: Plugins) -> list[dict[str, Any]]:
    """Return one row per named spec.

    Parameters are None if a part does not report its size, or the spec has problems.
    """
    from kokoro_core.spec.load import load, read_named
    from kokoro_core.spec.problems.problem import SpecError
    from kokoro_core.spec.rules.limits import parameters_of
    from kokoro_core.spec.text.parse import head_comment

    rows = []
    for name, each in sorted(plugins.specs.items()):
        parameters, purpose = None, ""
        try:
            purpose = head_comment(read_named(each))
            parameters = parameters_of(load(name, plugins=plugins))
        except SpecError as error:
            purpose = f"has problems: {error.problems[0].message}"
        found = {"name": name, "plugin": each.plugin, "file": str(each.file)}
        rows.append({**found, "parameters": parameters, "purpose": purpose})
    return rows


def plugins(
    ctx: typer.Context,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 if a plugin is not loaded or has a flag."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the plugins with their contents, import time and problems."""
    found = session_of(ctx).plugins
    if as_json:
        print_json([asdict(each) for each in found.records])
    else:
        print_table(
            ("plugin", "distribution", "status", "import", "brings"),
            (
                (
                    each.name,
                    f"{each.distribution} {each.version}",
                    each.status,
                    f"{1000 * each.import_seconds:.0f} ms",
                    ", ".join((*each.components, *each.specs, *each.commands, *each.voices)),
                )
                for each in found.records
            ),
        )
        for record in found.records:
            for line in complaints(record):
                print(f"{record.name} ({record.distribution} {record.version}) {line}")
    if strict and (found.unmatched or any(list(complaints(each)) for each in found.records)):
        raise typer.Exit(1)


def complaints(record: PluginRecord) -> Iterator[str]:
    """Yield lines for why a plugin is not loaded and for its flags."""
    if record.status != "loaded":
        yield f"is {record.status}: {record.cause}. What to do: {record.remedy}."
    yield from (f"{flag}." for flag in record.flags)
