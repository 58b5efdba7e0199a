"""Every mutant is killed by the check that is named for it, and sound components raise no alarm.

``KOKORO_MUTANTS=full`` works out every row of the table again; else a handful is.
"""

from __future__ import annotations

import os
import re

import pytest

from kokoro_core.testing import Subject, check_component
from kokoro_core.testing.checks import CHECKS, checks_of
from kokoro_core.testing.engine.levels import LevelName
from tests.kokoro_core.testing.mutants.catalogue import all_mutants, find_mutant
from tests.kokoro_core.testing.mutants.justified import JUSTIFIED
from tests.kokoro_core.testing.mutants.kills import kills_of, named_kill
from tests.kokoro_core.testing.mutants.sound import SOUND, VARIANTS
from tests.kokoro_core.testing.mutants.table import PAGE, page_of, read_table, sole_kills

MUTANTS = all_mutants()
PART_CHECKS = {each.id: each for each in CHECKS if set(each.slots) - {"model"}}
HANDFUL = (
    "masked scores are -10, which leaks a little",
    "frames are cut to whole numbers",
    "memory is a frame late",
    "keys are turned from 0 on",
    "it says that it needs less context than it has",
)
AGAIN = tuple(MUTANTS) if os.environ.get("KOKORO_MUTANTS") == "full" else HANDFUL


@pytest.mark.parametrize("name", [*SOUND, *VARIANTS])
def test_a_sound_component_raises_no_alarm(name):
    params = SOUND[name] if name in SOUND else VARIANTS[name]
    level: LevelName = "ci" if name in SOUND else "fast"
    ids = [each.id for each in checks_of(params.slot) if not each.costly]
    report = check_component(Subject(params), level=level, only=ids, raises=False, version=2)
    assert report.ok, report.explain()
    assert report.counts()["passed"] >= 14


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_its_check(name):
    result = named_kill(MUTANTS[name])
    assert result.status == "failed", f"{name}: {result.status}, {result.reason}"
    # A mutant that is wrong in another way than it says would prove nothing.
    assert not re.search(r"it raised (NameError|AttributeError|ImportError)", result.reason)
    assert result.case
    # Golden keys that are given as a mapping are nothing that a shell line can name.
    if result.check != "golden-keys":
        assert "kokoro-core conformance " in result.replay


@pytest.mark.parametrize("name", AGAIN)
def test_the_recorded_row_of_a_mutant_is_what_kills_it(name):
    assert kills_of(MUTANTS[name]) == read_table()[name]


def test_there_are_mutants_of_every_slot():
    slots = [each.slot for each in MUTANTS.values()]
    assert len(slots) >= 100
    assert set(slots) == {slot for each in PART_CHECKS.values() for slot in each.slots} - {"model"}
    assert min(slots.count(slot) for slot in set(slots)) >= 10


def test_every_named_check_is_one_of_the_slot():
    for name, each in MUTANTS.items():
        assert each.killed_by in {check.id for check in checks_of(each.slot)}, name


def test_the_recorded_table_has_the_mutants_and_checks_that_there_are():
    table = read_table()
    assert list(table) == list(MUTANTS), "run `python -m tests.kokoro_core.testing.mutants.table`"
    for name, kills in table.items():
        assert MUTANTS[name].killed_by in kills, name
        assert set(kills) <= {check.id for check in checks_of(MUTANTS[name].slot)}, name


def test_each_check_kills_what_no_other_kills_or_says_why_not():
    needed = sole_kills(read_table()).keys()
    useless = [each for each in PART_CHECKS if each not in needed and each not in JUSTIFIED]
    assert not useless, "find a mutant that only these kill, or justify them"
    settled = sorted(JUSTIFIED.keys() & needed)
    assert not settled, "these kill what no other does and need no justification"
    assert JUSTIFIED.keys() <= PART_CHECKS.keys()
    assert all(reason.endswith(".") for reason in JUSTIFIED.values())


def test_the_page_is_that_of_the_table():
    assert PAGE.read_text("utf-8") == page_of(read_table(), MUTANTS), (
        "run `python -m tests.kokoro_core.testing.mutants.table`"
    )


def test_an_unknown_mutant_is_refused():
    with pytest.raises(ValueError, match="`a sound one` is no mutant"):
        find_mutant("a sound one")
