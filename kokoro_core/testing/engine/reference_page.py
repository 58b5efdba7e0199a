"""The page ``docs/conformance-checks.md``: every check, from the list itself.

``python -m kokoro_core.testing.engine.reference_page > docs/conformance-checks.md`` renews it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import CHECKS, CONFORMANCE_VERSION

_HEAD = f"""\
# The checks of the conformance kit

What each check says, the slots whose components have it, and a real bug of the field that it stands
for, by the number of its public issue. A check holds for a component unless its
[capabilities](conformance.md#capabilities) say otherwise. This is version
{CONFORMANCE_VERSION} of the list; which version counts is said under
[Versions](conformance.md#versions).
The page is made from the list:
`python -m kokoro_core.testing.engine.reference_page > docs/conformance-checks.md` renews it.
"""


def reference_page(checks: Iterable[Check[Any]] = CHECKS) -> str:
    """Return Markdown with a table of the checks."""
    return "\n".join([_HEAD, *_rows(checks)]) + "\n"


def _rows(checks: Iterable[Check[Any]]) -> Iterator[str]:
    yield "| check | what it says | slots | since | a real bug |"
    yield "| --- | --- | --- | --- | --- |"
    for each in checks:
        slots = ", ".join(slot.replace("_", " ") for slot in each.slots)
        cells = f"`{each.id}`", each.meaning, slots, str(each.since), each.bug
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    print(reference_page(), end="")
