"""Everything that a component has is registered with torch, which all other checks need."""

from __future__ import annotations

from kokoro_core.testing.check import PARTS, Check
from kokoro_core.testing.data.cases import ONCE, Nothing
from kokoro_core.testing.subjects.registration import find_unregistered
from kokoro_core.testing.subjects.subject import Subject


@Check(
    "registered",
    cases=ONCE,
    slots=PARTS,
    bug="layers in a plain list, which are neither moved nor saved nor trained",
)
def registered(subject: Subject, data: Nothing) -> None:
    """Every layer and every parameter is registered, so that torch moves, saves and trains it."""
    found = [str(each) for each in find_unregistered(subject.component)]
    assert not found, "; ".join(found)
