"""The normalizer `wetext`: its grammars behind our rules, and what happens without them."""

from __future__ import annotations

import sys

import pytest

from kokoro_plugins.normalizers.params import WetextParams
from kokoro_plugins.normalizers.wetext import Wetext


class Grammars:
    """Answers as the grammars do, and keeps what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def normalize(self, text: str) -> str:
        self.asked.append(text)
        assert "^" not in text
        return text.replace("7", "seven").replace('"', '\\"')


def test_rules_come_first_and_grammars_read_the_rest_of_each_run_of_ascii() -> None:
    grammars = Grammars()
    words = Wetext(grammars=grammars).normalize('  7 "of" the 1990s – 7 ')
    assert words == '  seven "of" the nineteen nineties – seven '
    assert grammars.asked == ['7 "of" the nineteen nineties', "7"]


def test_what_the_grammars_have_no_path_for_stays_as_it_is() -> None:
    assert Wetext(grammars=Grammars()).normalize("^7 é 7") == "^7 é seven"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wetext", None)
    with pytest.raises(ValueError, match=r"needs the package wetext, .* kokoro-core\[text\], or"):
        WetextParams().build()


def test_the_grammars_read_a_sentence() -> None:
    words = WetextParams().build().normalize("It took 42 days, twice.")
    assert words == "It took forty two days, twice."
