"""``checkpoint import``: a checkpoint that others published, as one of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.cli.commands.checkpoint.convert import refuse_existing
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.spec.text.overrides import overrides_from_text
from registry import Plugins
from registry.text import printable

if TYPE_CHECKING:
    from kokoro_core.checkpoints.import_model import Imported

Row = tuple[str, ...]
_SHOWN = 3
HEADINGS = ("tensor", "made of", "shape", "how")


def import_checkpoint(
    name: str,
    folder: Path,
    out: Path,
    plugins: Plugins,
    *,
    settings: list[str],
    tensors: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a published checkpoint as one of ours, read it back, and print what became of all.

    Raises:
        CheckpointError: The folder cannot be imported as it is, or OUT exists.
        UnknownComponent: No plugin brings such an importer.
        SpecError: A setting given is wrong.
    """
    target = checkpointer_for(out, plugins)
    refuse_existing(out, plugins, force=force)
    from kokoro_core.checkpoints.import_model import import_published
    from kokoro_core.checkpoints.store import save

    overrides = overrides_from_text(settings, "--set")
    found = import_published(name, folder, plugins, overrides)
    save(out, found.model, found.spec, plugins)
    with target.open(out) as copy:
        copy.verify()
        stated = str(copy.content_hash)
    if as_json:
        print_json({"path": str(out), "content_hash": stated, **report_of(found)})
    else:
        _print(found, tensors=tensors)
        print(printable(f"{out}: {len(found.rows)} tensors, content hash {stated}"))


def report_of(found: Imported) -> dict[str, Any]:
    """Return what became of everything, as JSON values."""
    return {
        "spec": found.spec.name,
        "tensors": {
            each.name: {
                "made_of": list(each.origin.names),
                "dtype": each.info.dtype,
                "shape": list(each.info.shape),
                "how": each.origin.how,
            }
            for each in found.rows
        },
        "left": dict(found.left),
        "settings_passed_over": dict(found.passed_over),
        "symbols": found.symbols,
    }


def _print(found: Imported, *, tensors: bool) -> None:
    rows = [each.row() for each in found.rows]
    print_table(HEADINGS, rows if tensors else folded(rows))
    for title, left in (("left out", found.left), ("passed over", found.passed_over)):
        for why in dict.fromkeys(left.values()):
            names = [name for name, reason in left.items() if reason == why]
            print(printable(f"{title}: {_listed(names, tensors=tensors)}, since {why}"))
    print(printable(f"symbols: {found.symbols}"))


def _listed(names: list[str], *, tensors: bool) -> str:
    shown = names if tensors else names[:_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more (--tensors lists them)" if more else "")


def folded(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a line for tensors that differ in the numbers of their layers alone."""
    groups: dict[Row, list[Row]] = {}
    for row in rows:
        name, made_of, *rest = row
        key = (_without_numbers(name), _without_numbers(made_of), *rest)
        groups.setdefault(key, []).append(row)
    for (name, *others), members in groups.items():
        yield (f"{name} ({len(members)})", *others) if len(members) > 1 else members[0]


def _without_numbers(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)
