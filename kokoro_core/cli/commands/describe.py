"""The command ``describe``: a component with its settings, or a spec with its parts and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.commands.check import size_notes
from kokoro_core.cli.commands.listing import check_slot
from kokoro_core.cli.output import print_json, print_note, print_table
from kokoro_core.cli.session import Session, session_of
from kokoro_core.cli.toolkit import JsonOption, SetOption, load_with
from kokoro_core.spec.naming import SPEC_PREFIX, spec_source, specs_of_name
from registry import Plugins, Registration
from registry.errors import RegistryError, UnknownNamedSpec
from registry.text import closest, printable

if TYPE_CHECKING:
    from kokoro_core.spec.tree.model_spec import ModelSpec

WORKLOAD = ("rows", "phonemes", "frames")


def describe(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="COMPONENT|SPEC", help="A component, a spec file or its name.")
    ],
    slot: Annotated[
        str | None, typer.Option(help="The slot of the component, if several have the name.")
    ] = None,
    override: SetOption = None,
    rows: Annotated[int, typer.Option(min=1, help="Utterances of a training batch.")] = 16,
    phonemes: Annotated[int, typer.Option(min=1, help="Phonemes of an utterance.")] = 100,
    frames: Annotated[int, typer.Option(min=1, help="Mel frames of an utterance.")] = 600,
    as_json: JsonOption = False,
) -> None:
    """Describe a component (its settings) or a spec (its parts and their cost)."""
    session = session_of(ctx)
    found = components_meant(name, slot, session)
    if found:
        _refuse_options_of_specs(ctx, name)
        described = [describe_component(each) for each in found]
        if as_json:
            print_json(described)
            return
        for component in described:
            _print_component(component)
        return
    try:
        spec = describe_spec(spec_source(name), override, session, (rows, phonemes, frames))
    except (UnknownNamedSpec, FileNotFoundError):
        _suggest_component(name, session)
        raise
    if as_json:
        print_json(spec)
    else:
        _print_spec(spec)


def components_meant(name: str, slot: str | None, session: Session) -> list[Registration]:
    """Return the components that an argument means, and note specs with the same name.

    Raises:
        UnknownComponent, AmbiguousComponent: As `find_components`.
    """
    if slot is not None:
        return find_components(name, slot, session)
    found = [] if name.startswith(SPEC_PREFIX) else find_components(name, None, session)
    for other in specs_of_name(name, session.plugins) if found else ():
        print_note(other)
    return found


def find_components(name: str, slot: str | None, session: Session) -> list[Registration]:
    """Return the components of a short or qualified name; in one slot there must be one.

    ``encoder/transformer`` includes the slot.

    Raises:
        RegistryError: The requested slot does not exist.
        UnknownComponent: The requested slot has no such component.
        AmbiguousComponent: More than one plugin has it in that slot.
    """
    components = session.plugins.components
    if slot is not None:
        check_slot(slot, session.plugins)
        return [components.find(slot, name)]
    first, _, rest = name.partition("/")
    if rest and first in components.slots():
        return [components.find(first, rest)]
    found = [each for each in components if name in (each.name, each.qualified_name)]
    return sorted(found, key=lambda each: (each.slot, each.qualified_name))


def _refuse_options_of_specs(ctx: typer.Context, name: str) -> None:
    """Reject options that would be silently ignored.

    Raises:
        BadParameter: One is given.
    """
    for parameter, option in (("override", "--set"), *((w, f"--{w}") for w in WORKLOAD)):
        source = ctx.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"{option} is for specs, and `{name}` is a component")


def _suggest_component(name: str, session: Session) -> None:
    """Raise an error with the component that an unknown name may misspell, if any.

    Raises:
        RegistryError: There is one.
    """
    plugins = session.plugins
    if closest(name, plugins.specs) is not None:
        return
    short = [each.name for each in plugins.components]
    near = closest(
        name, short if "/" not in name else [e.qualified_name for e in plugins.components]
    )
    if near is not None:
        raise RegistryError(
            f"`{name}` is neither a component nor a spec, did you mean `{near}`? `kokoro-core "
            f"components` and `kokoro-core specs` list what there is."
        )


def describe_component(registration: Registration) -> dict[str, Any]:
    """Return a component's origin, description and settings, as JSON values."""
    from kokoro_core.spec.views.declarations import declarations_of
    from kokoro_core.spec.views.reference import description_of, fields_of

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
        "declares": declarations_of(component),
    }


def describe_spec(
    source: str, settings: list[str] | None, session: Session, work: tuple[int, int, int]
) -> dict[str, Any]:
    """Return a resolved spec with the cost of each slot.

    Parameters and bytes are exact: the model is built on the meta device, which takes no memory.
    Multiply-adds and training memory are for batches of (rows, phonemes, frames).
    """
    from kokoro_core.spec.views.resolve import resolve, spec_hash

    notes: list[str] = []
    spec = load_with(source, settings, session, note=notes.append)
    return {
        **resolve(spec, session.plugins),
        "hash": spec_hash(spec, session.plugins),
        "size": sizes_of(spec, session.plugins),
        "cost": cost_of(spec, work),
        "notes": [*notes, *size_notes(spec)],
    }


def sizes_of(spec: ModelSpec, plugins: Plugins) -> dict[str, Any]:
    """Return parameters and their bytes, by slot and in total."""
    from kokoro_core.cost.info import model_info
    from kokoro_core.model.assembly import assemble

    info = model_info(assemble(spec, device="meta"), spec, plugins)
    return {
        "parameters": info["total_parameters"],
        "bytes": info["bytes"],
        "slots": info["slots"],
    }


def cost_of(spec: ModelSpec, work: tuple[int, int, int] | None = None) -> dict[str, Any]:
    """Return multiply-adds and training memory, or under ``unknown`` why they are unknown."""
    from kokoro_core.cost.estimate import CannotMeasure, Workload, cost

    try:
        return cost(spec, Workload(*work) if work else None)
    except CannotMeasure as error:
        return {"unknown": str(error)}


def _print_component(component: dict[str, Any]) -> None:
    origin = f"{component['distribution']} {component['version']}"
    print(f"{component['slot']} {component['qualified_name']} ({origin})")
    print(printable(component["description"], keep="\n"), end="\n\n")
    print_table(
        ("setting", "type", "default", "must be", "what it is"),
        (
            (each["name"], each["type"], each["default"], each["constraints"], each["description"])
            for each in component["fields"]
        ),
    )
    print()
    if component["declares"]:
        print_table(("declares", "with the default settings"), component["declares"].items())
        print()


def _print_spec(spec: dict[str, Any]) -> None:
    document, size, cost = spec["spec"], spec["size"], spec["cost"]
    shown = ("vocab_size", "pad_id", "mel_dim", "hidden_dim", "gradient_checkpointing")
    print(f"{document['name']}: {', '.join(f'{key} {_cell(document[key])}' for key in shown)}")
    print(f"sha256 {spec['hash']}\n")
    products = cost.get("multiply_adds_per_frame", {"slots": {}})
    saved = cost.get("training_memory", {}).get("activations", {"slots": {}})
    rows: list[tuple[Any, ...]] = []
    for each in spec["components"]:
        counted = size["slots"].get(each["path"], {})
        rows.append(
            (
                each["path"],
                each["name"],
                f"{each['distribution']} {each['version']}",
                _count(counted.get("parameters")),
                _count(counted.get("bytes")),
                _count(products["slots"].get(each["path"])),
                _count(saved["slots"].get(each["path"])),
                _settings(document, each["path"]),
            )
        )
    if "losses" in saved["slots"]:
        rows.append(("losses", *[None] * 5, _count(saved["slots"]["losses"]), None))
    counts = (
        *(size["parameters"], size["bytes"]),
        *(products.get("total"), saved.get("total")),
    )
    rows.append(("total", None, None, *map(_count, counts), None))
    print_table(
        (
            *("part", "component", "from", "parameters", "bytes"),
            *("multiply-adds a frame", "saved bytes", "settings"),
        ),
        rows,
    )
    print()
    for line in _cost_lines(cost):
        print(line)
    for line in spec["notes"]:
        print_note(line)


def _cost_lines(cost: dict[str, Any]) -> list[str]:
    """Return what the table lacks: the batch, and the memory of a training step."""
    if "unknown" in cost:
        return [f"multiply-adds and memory of training are not known: {cost['unknown']}"]
    work, memory = cost["workload"], cost["training_memory"]
    parts = ("weights", "gradients", "optimizer", "working")
    kept = {"saved": memory["activations"]["total"], **{each: memory[each] for each in parts}}
    return [
        "training memory, about {:,} MB: {} (float32, AdamW)".format(
            round(memory["total"] / 1e6),
            ", ".join(f"{name} {each / 1e6:,.1f}" for name, each in kept.items()),
        ),
        "a batch of {rows} rows of {phonemes} phonemes and {frames} frames; multiply-adds are of "
        "one row".format(**work),
    ]


def _settings(document: dict[str, Any], path: str) -> str:
    from kokoro_core.spec.tree.walk import parse_path, value_at

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
