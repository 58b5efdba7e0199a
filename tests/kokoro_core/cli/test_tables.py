"""Tables fit their terminal, and no word of theirs is broken: a path that is cut helps nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_core.cli.app import main
from kokoro_core.cli.table import print_table

LISTINGS = {
    "components": ["components"],
    "specs": ["specs"],
    "plugins": ["plugins"],
    "describe spec": ["describe", "mixed"],
    "describe component": ["describe", "speech/espeak"],
    "diff": ["diff", "small", "mixed"],
    "checks": ["conformance", "--list"],
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert not caught.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [60, 80, 110])
@pytest.mark.parametrize("name", LISTINGS)
def test_no_path_of_a_listing_is_broken(
    name: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    whole = run(capsys, *LISTINGS[name])
    monkeypatch.setenv("COLUMNS", str(columns))
    narrow = run(capsys, *LISTINGS[name])
    assert set(whole.split()) <= set(narrow.split())


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_every_path_of_a_spec_stands_whole_in_its_description(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    described = json.loads(run(capsys, "describe", "mixed", "--json"))
    known = {each["path"] for each in described["components"]}
    assert "encoder.positional_encoding" in known
    monkeypatch.setenv("COLUMNS", str(columns))
    assert known <= set(run(capsys, "describe", "mixed").split())


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_every_qualified_name_stands_whole_in_the_list_of_components(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {each["plugin"] for each in json.loads(run(capsys, "components", "--json"))}
    monkeypatch.setenv("COLUMNS", str(columns))
    assert known <= set(run(capsys, "components").split())


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_a_table_is_no_wider_than_its_terminal_where_its_words_are_not(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for line in run(capsys, "components").splitlines():
        assert len(line.rstrip()) <= columns


WORDS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=30)
CELLS = st.lists(WORDS, max_size=6).map(" ".join)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), st.integers(20, 120))
def test_any_table_keeps_its_words_and_fits_if_they_do(
    rows: list[tuple[str, str, str]], columns: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        printed: list[str] = []
        patch.setattr("sys.stdout", _Lines(printed))
        print_table(("first", "second", "third"), rows)
    text = "".join(printed)
    words = [word for row in rows for cell in row for word in cell.split()]
    assert set(words) <= set(text.split())
    longest = max((len(word) for word in words), default=0)
    if longest + len("second") + 2 <= columns:
        assert all(len(line.rstrip()) <= columns for line in text.splitlines())


class _Lines:
    """A stream that keeps what is written, without a terminal."""

    encoding = "utf-8"

    def __init__(self, printed: list[str]) -> None:
        self.write = printed.append

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        return False


def test_the_named_specs_are_listed_with_size_and_purpose(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = {each["name"]: each for each in json.loads(run(capsys, "specs", "--json"))}
    assert rows["small"]["parameters"] == 5_687_122
    assert rows["default"]["parameters"] == 44_650_066
    assert "all frames at once" in rows["parallel"]["purpose"]
    shown = run(capsys, "specs")
    assert "22,580,818" in shown
    assert "Parts of four plugins in one model" in shown
