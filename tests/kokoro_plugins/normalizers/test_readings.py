"""Texts and how an English speaker reads them, written down by hand in readings.csv.

A reading is right if espeak-ng makes the same sounds of the normalised text as of one of the
readings, which have words alone. Pauses and stresses are left out of account.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.errors import FrontendError
from kokoro_core.slots import NORMALIZER
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.vocabulary import PAUSES, STRESSES
from registry import installed_plugins

TABLE = Path(__file__).with_name("readings.csv").read_text(encoding="utf-8")
ROWS = list(csv.DictReader(TABLE.splitlines()))

KNOWN_WRONG = {
    "english": {"Charles I was beheaded.", "I did the MIX."},
    "wetext": {
        "Ages 18-25 may enter.",
        "Charles I was beheaded.",
        "I did the MIX.",
        "It has 1,234 pages.",
        "No. I will not.",
        "Rocky III is on TV.",
        "The town has 7,605,120 trees.",
        "Use version 3.11.7 of it.",
    },
}
"""What docs/text.md lists as read wrongly."""


@pytest.fixture(scope="module")
def frontend() -> EspeakFrontend:
    return EspeakFrontend(espeak=Espeak("en-us"))


def sounds(frontend: EspeakFrontend, text: str) -> str:
    return "".join(each for each in frontend.phonemize(text) if each not in (*PAUSES, *STRESSES))


def misread(normalizer: Any, frontend: EspeakFrontend) -> set[str]:
    """Return the texts that are not read rightly; one that is refused is none of those that are."""

    def is_right(row: dict[str, str]) -> bool:
        try:
            found = sounds(frontend, normalizer.normalize(row["text"]))
        except FrontendError:
            return False
        return found in [sounds(frontend, each) for each in row["reading"].split("|")]

    return {row["text"] for row in ROWS if not is_right(row)}


@pytest.mark.filterwarnings("ignore::kokoro_core.errors.FrontendWarning")
@pytest.mark.parametrize("name", ["english", "wetext"])
def test_at_least_95_of_100_texts_are_read_rightly_and_the_others_are_known(
    name: str, frontend: EspeakFrontend
) -> None:
    normalizer = installed_plugins().components.get(NORMALIZER, name)(type=name).build()
    assert len(ROWS) >= 150
    wrong = misread(normalizer, frontend)
    assert wrong == KNOWN_WRONG[name]
    assert len(wrong) <= 0.05 * len(ROWS)


@pytest.mark.filterwarnings("ignore::kokoro_core.errors.FrontendWarning")
def test_without_a_normalizer_more_than_half_of_them_are_read_wrongly(
    frontend: EspeakFrontend,
) -> None:
    """The table tests what espeak-ng does not do by itself."""
    normalizer = installed_plugins().components.get(NORMALIZER, "none")(type="none").build()
    assert len(misread(normalizer, frontend)) > len(ROWS) / 2


def test_the_page_lists_what_is_read_wrongly() -> None:
    page = (Path(__file__).parents[3] / "docs" / "text.md").read_text(encoding="utf-8")
    for wrong in KNOWN_WRONG.values():
        for text in wrong:
            assert f"`{text}`" in page
    assert f"{len(ROWS)} texts" in page
