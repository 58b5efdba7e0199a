"""The command ``describe``: a component with its settings, or a spec with its parts and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.checking import JsonOption, SetOption, load_with
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.cli.session import Session, session_of
from registry import Plugins, Registration

if TYPE_CHECKING:
    from kokoro_core.spec.model_spec import ModelSpec


def describe(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="COMPONENT|SPEC", help="A component, a spec file or its name.")
    ],
    slot: Annotated[
        str | None, typer.Option(help="The slot of the component, where several have the name.")
    ] = None,
    override: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a component (its settings) or a spec (its parts, parameters and bytes)."""
    session = session_of(ctx)
    found = find_components(name, slot, session)
    if found:
        described = [describe_component(each) for each in found]
        if as_json:
            print_json(described)
            return
        for component in described:
            _print_component(component)
        return
    spec = describe_spec(name, override, session)
    if as_json:
        print_json(spec)
    else:
        _print_spec(spec)


def find_components(name: str, slot: str | None, session: Session) -> list[Registration]:
    """Return the components of a short or qualified name; in one slot there must be one.

    Raises:
        UnknownComponent: The slot that is asked for has no such component.
        AmbiguousComponent: More than one plugin has it in that slot.
    """
    components = session.plugins.components
    if slot is not None:
        return [components.find(slot, name)]
    found = [each for each in components if name in (each.name, each.qualified_name)]
    return sorted(found, key=lambda each: (each.slot, each.qualified_name))


def describe_component(registration: Registration) -> dict[str, Any]:
    """Return a component's origin, description and settings, as values that JSON has."""
    from kokoro_core.spec.reference import description_of, fields_of

    component = registration.component
    return {
        "slot": registration.slot,
        "type": registration.name,
        "qualified_name": registration.qualified_name,
        "plugin": registration.plugin,
        "distribution": registration.distribution,
        "version": registration.version,
        "description": description_of(component),
        "fields": fields_of(component),
    }


def describe_spec(source: str, settings: list[str] | None, session: Session) -> dict[str, Any]:
    """Return a resolved spec with the parameters and bytes of each slot.

    The counts are exact: the model is built on the meta device, which takes no memory.
    """
    from kokoro_core.spec.resolve import resolve

    spec = load_with(source, settings, session)
    resolved = resolve(spec, session.plugins)
    return {**resolved, "size": sizes_of(spec, session.plugins)}


def sizes_of(spec: ModelSpec, plugins: Plugins) -> dict[str, Any]:
    """Return parameters and their bytes for each slot and in total."""
    from kokoro_core.assembly import assemble
    from kokoro_core.info import model_info

    info = model_info(assemble(spec, device="meta"), spec, plugins)
    return {
        "parameters": info["total_parameters"],
        "bytes": info["bytes"],
        "slots": info["slots"],
    }


def _print_component(component: dict[str, Any]) -> None:
    origin = f"{component['distribution']} {component['version']}"
    print(f"{component['slot']} {component['qualified_name']} ({origin})")
    print(f"{component['description']}\n")
    print_table(
        ("setting", "type", "default", "must be", "what it is"),
        (
            (each["name"], each["type"], each["default"], each["constraints"], each["description"])
            for each in component["fields"]
        ),
    )
    print()


def _print_spec(spec: dict[str, Any]) -> None:
    document, size = spec["spec"], spec["size"]
    shown = ("vocab_size", "pad_id", "mel_dim", "hidden_dim", "gradient_checkpointing")
    print(f"{document['name']}: {', '.join(f'{key} {_cell(document[key])}' for key in shown)}\n")
    slots = size["slots"]
    rows: list[tuple[Any, ...]] = []
    for each in spec["components"]:
        counted = slots.get(each["path"], {})
        rows.append(
            (
                each["path"],
                each["name"],
                f"{each['distribution']} {each['version']}",
                _count(counted.get("parameters")),
                _count(counted.get("bytes")),
                _settings(document, each["path"]),
            )
        )
    rows.append(("total", None, None, _count(size["parameters"]), _count(size["bytes"]), None))
    print_table(("part", "component", "from", "parameters", "bytes", "settings"), rows)


def _settings(document: dict[str, Any], path: str) -> str:
    from kokoro_core.spec.walk import parse_path, value_at

    values = value_at(document, parse_path(path))
    plain = {key: each for key, each in values.items() if not _is_component(each)}
    return ", ".join(f"{key} {_cell(each)}" for key, each in plain.items() if key != "type")


def _is_component(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return "null" if value is None else str(value)


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"
