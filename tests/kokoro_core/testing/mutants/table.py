"""Work out which checks kill which mutants, and write it down.

``python -m tests.kokoro_core.testing.mutants.table`` does it.

With words after it, only mutants whose names have one of them are tried anew.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from kokoro_core.testing.checks import CHECKS
from tests.kokoro_core.testing.mutants.catalogue import all_mutants
from tests.kokoro_core.testing.mutants.kills import kills_of
from tests.kokoro_core.testing.mutants.mutant import Mutant

TABLE = Path(__file__).with_name("kill_table.json")
PAGE = Path(__file__).parents[4] / "docs" / "conformance-mutants.md"

INTRODUCTION = """\
# Mutants

A check is worth what it finds. Each component below is broken on purpose, in one way, and each
must be killed by the check that is named for it; the sound components that they are made from must
raise no alarm. `tests/kokoro_core/testing/mutants` holds them, and tests run every named kill. The
whole table is worked out by `python -m tests.kokoro_core.testing.mutants.table`, which writes this
page: there each check is tried on its corners, and the checks that cost seconds (compiling,
exporting, importing) on the mutants that name them alone. With `KOKORO_MUTANTS=full` in the
environment, pytest works every row of the table out again; without, it does so for a handful.

{mutants} mutants of {slots} slots; {checks} checks kill at least one, {alone} of them one that no
other check kills. The check in bold is the one that is named.
"""


def read_table() -> dict[str, list[str]]:
    """Return what was written down: for each mutant the checks that kill it."""
    table: dict[str, list[str]] = json.loads(TABLE.read_text("utf-8"))
    return table


def sole_kills(table: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return for each check the mutants that it alone kills."""
    alone: dict[str, list[str]] = {}
    for name, kills in table.items():
        if len(kills) == 1:
            alone.setdefault(kills[0], []).append(name)
    return alone


def page_of(table: Mapping[str, Sequence[str]], mutants: Mapping[str, Mutant]) -> str:
    """Return the page of the documentation."""
    slots = list(dict.fromkeys(each.slot for each in mutants.values()))
    used = {check for kills in table.values() for check in kills}
    text = INTRODUCTION.format(
        mutants=len(mutants), slots=len(slots), checks=len(used), alone=len(sole_kills(table))
    )
    sections = [_section(slot, table, mutants) for slot in slots]
    return "\n".join([text, *sections, _by_check(table)])


def _section(slot: str, table: Mapping[str, Sequence[str]], mutants: Mapping[str, Mutant]) -> str:
    rows = [
        f"| {name} | **{each.killed_by}** | {_others(table[name], each)} |"
        for name, each in mutants.items()
        if each.slot == slot
    ]
    title = slot.replace("_", " ").capitalize()
    head = [f"## {title}", "| what is broken | killed by | also by |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def _others(kills: Sequence[str], mutant: Mutant) -> str:
    return ", ".join(each for each in kills if each != mutant.killed_by) or "–"


def _by_check(table: Mapping[str, Sequence[str]]) -> str:
    counts = Counter(check for kills in table.values() for check in kills)
    alone = sole_kills(table)
    rows = [
        f"| {each.id} | {counts[each.id]} | {len(alone.get(each.id, []))} |"
        for each in CHECKS
        if counts[each.id]
    ]
    head = ["## By check", "| check | mutants that it kills | that it alone kills |"]
    return "\n".join([*head, "| --- | --- | --- |", *rows, ""])


def main(words: Sequence[str]) -> None:
    """Work out the table, or some of its rows, and write it and its page."""
    mutants = all_mutants()
    old = read_table() if words and TABLE.exists() else {}
    table: dict[str, list[str]] = {}
    for name, each in mutants.items():
        anew = name not in old or any(word in name for word in words)
        table[name] = kills_of(each) if anew else old[name]
        if anew:
            print(f"{name}: {', '.join(table[name]) or 'survives'}", flush=True)
    TABLE.write_text(json.dumps(table, indent=0) + "\n", "utf-8")
    PAGE.write_text(page_of(table, mutants), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
