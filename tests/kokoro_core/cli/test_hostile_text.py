"""What a stranger's file or plugin says reaches a terminal and a log as text alone."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.cli.app import main
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.cli.reporting import annotation
from kokoro_core.spec.problems.problem import Position, Problem
from registry.text import printable

HOSTILE = """\
"\\e[31mevil\\e]0;pwn\\a": 1
"a\\n::error file=x::y": 2
"\\u202Eback": 3
encoder: {type: "tr\\e[2Jx", num_layers: 1}
duration_predictor: {type: mlp}
regulator: {type: repeat}
decoder: {type: transformer, norm: "a%\\n::warning ::b"}
plugins: {"x\\n::error::z": ">=1"}
"""
ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of Unicode that a terminal, a browser or a log acts on."""


def is_harmless(text: str) -> bool:
    return not any(unicodedata.category(each) in ACTING for each in text.replace("\n", ""))


@pytest.mark.parametrize("format", ["text", "github", "json"])
@pytest.mark.parametrize("name", ["m.yaml", "m\n::error::x\x1b[2J.yaml"])
def test_a_hostile_file_reaches_a_terminal_and_a_log_as_text(
    format: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(HOSTILE)
    with pytest.raises(SystemExit):
        main(["check", str(path), "--format", format])
    captured = capsys.readouterr()
    lines = (captured.out + captured.err).splitlines()
    assert all(map(is_harmless, lines))
    if format == "json":
        [found] = json.loads(captured.out)
        assert "a\n::error file=x::y" in {each["path"] for each in found["problems"]}
    else:
        assert len(lines) == 6
        start = "::error file=" if format == "github" else str(tmp_path)
        assert all(each.startswith(start) for each in lines)


@given(st.text())
@example("\x1b[31m\x9b\u2028\u202e\ud800\r\n\x00")
def test_printable_leaves_nothing_to_act_on_and_keeps_the_rest(text: str) -> None:
    shown = printable(text)
    assert is_harmless(shown)
    assert "\n" not in shown
    assert shown == text or not text.isprintable()
    assert printable(shown) == shown
    assert printable(text, keep="\n").count("\n") == text.count("\n")


@given(st.text())
@example("\x9b\u2028\u202e\ud800")
def test_a_problem_is_one_line_for_people_and_for_github(text: str) -> None:
    problem = Problem("wrong-value", text, text, text, Position(1, 1))
    for line in (str(problem), annotation(problem, "m.yaml")):
        assert is_harmless(line)
        assert "\n" not in line


def test_json_and_tables_have_no_codes_of_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = {"key \x9b1m": "\x1b[1m\u202e\ud800ä漢"}
    print_json(said)
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert "ä漢" in out
    assert json.loads(out) == said
    print_table(("what",), [("\x1b[31mred\x07",)])
    assert is_harmless(capsys.readouterr().out)
