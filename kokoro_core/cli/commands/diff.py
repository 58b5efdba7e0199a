"""The command ``diff``: what changes from one spec, or checkpoint, to another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.commands.describe import cost_of, sizes_of
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.cli.session import Session, session_of
from kokoro_core.cli.toolkit import JsonOption, load_any

if TYPE_CHECKING:
    from kokoro_core.spec.tree.model_spec import ModelSpec

_COUNTS = ("parameters", "multiply-adds a frame")


def diff(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A spec, its name, or a checkpoint.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    set_a: Annotated[
        list[str] | None,
        typer.Option("--set-a", metavar="PATH=VALUE", help="Override a setting of A."),
    ] = None,
    set_b: Annotated[
        list[str] | None,
        typer.Option("--set-b", metavar="PATH=VALUE", help="Override a setting of B."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how two specs differ in meaning, and how size and compute change."""
    if as_json and markdown:
        raise typer.BadParameter("--json and --markdown are two ways to print; leave one out")
    session = session_of(ctx)
    names = " ".join([a, *(set_a or ())]), " ".join([b, *(set_b or ())])
    specs = load_any(a, set_a, session, "--set-a"), load_any(b, set_b, session, "--set-b")
    found = compare(*specs, session, names=names)
    if as_json:
        print_json(found)
    elif markdown:
        print(_markdown(found))
    else:
        _print(found)


def compare(
    old: ModelSpec, new: ModelSpec, session: Session, names: tuple[str, str]
) -> dict[str, Any]:
    """Return the differences of two specs with the counts of both, as JSON values."""
    from kokoro_core.spec.views.diff import diff_specs
    from kokoro_core.spec.views.resolve import spec_hash

    counts = [_counts(each, session) for each in (old, new)]
    slots = [
        *counts[0]["slots"],
        *(each for each in counts[1]["slots"] if each not in counts[0]["slots"]),
    ]
    hashes = [spec_hash(each, session.plugins) for each in (old, new)]
    return {
        "a": {"source": names[0], "hash": hashes[0]},
        "b": {"source": names[1], "hash": hashes[1]},
        "changes": [each.as_dict() for each in diff_specs(old, new, session.plugins)],
        "counts": {
            slot: {
                what: [each["slots"].get(slot, {}).get(what, 0) for each in counts]
                for what in _COUNTS
            }
            for slot in slots
        },
        "total": {what: [each["total"][what] for each in counts] for what in _COUNTS},
        "unknown": [each["unknown"] for each in counts if each["unknown"]],
    }


def _counts(spec: ModelSpec, session: Session) -> dict[str, Any]:
    """Return parameters and multiply-adds of each slot; None for what cannot be counted."""
    size, cost = sizes_of(spec, session.plugins), cost_of(spec)
    products = cost.get("multiply_adds_per_frame", {"total": None, "slots": {}})
    unknown = cost.get("unknown")
    return {
        "slots": {
            slot: {
                _COUNTS[0]: each["parameters"],
                _COUNTS[1]: None if unknown else products["slots"].get(slot, 0),
            }
            for slot, each in size["slots"].items()
        },
        "total": {_COUNTS[0]: size["parameters"], _COUNTS[1]: products["total"]},
        "unknown": unknown,
    }


def _print(found: dict[str, Any]) -> None:
    if not found["changes"]:
        print(f"{found['a']['source']} and {found['b']['source']} mean the same")
        return
    print_table(("setting", found["a"]["source"], found["b"]["source"]), _change_rows(found))
    rows = _count_rows(found)
    print()
    if rows:
        print_table(("part", "", found["a"]["source"], found["b"]["source"], "change"), rows)
    else:
        print("parameters and multiply-adds are the same")
    for each in found["unknown"]:
        print(f"multiply-adds are not known: {each}")


def _markdown(found: dict[str, Any]) -> str:
    a, b = (_escaped(found[each]["source"]) for each in "ab")
    if not found["changes"]:
        return f"`{a}` and `{b}` mean the same."
    lines = [f"| setting | {a} | {b} |", "| --- | --- | --- |"]
    lines += [_row(f"`{path}`", *values) for path, *values in _change_rows(found)]
    rows = _count_rows(found)
    if rows:
        lines += ["", f"| part | | {a} | {b} | change |", "| --- | --- | ---: | ---: | ---: |"]
        lines += [_row(*each) for each in rows]
    lines += [f"\nMultiply-adds are not known: {_escaped(each)}" for each in found["unknown"]]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(each) for each in cells)} |"


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _change_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["path"], *_values(each)) for each in found["changes"]]


def _values(change: dict[str, Any]) -> tuple[str, str]:
    """Return both values as in a spec; a missing key is a dash."""
    old, new = (_shown(change[each]) for each in ("old", "new"))
    kind = change["kind"]
    return ("–" if kind == "added" else old), ("–" if kind == "removed" else new)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count_rows(found: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return the counts that differ, one per line, totals last."""
    every = {**found["counts"], "total": found["total"]}
    return [
        (part, what, _number(old), _number(new), _change(old, new))
        for part, counts in every.items()
        for what, (old, new) in counts.items()
        if old != new
    ]


def _number(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _change(old: int | None, new: int | None) -> str:
    if old is None or new is None:
        return ""
    share = f" ({100 * (new - old) / old:+.1f} %)" if old else ""
    return f"{new - old:+,}{share}"
