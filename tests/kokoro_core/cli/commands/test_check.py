"""``check``: many files, for people, for programs and for GitHub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from kokoro_core.cli.app import main
from kokoro_core.cli.commands.check import check_one
from kokoro_core.cli.reporting import Format, annotation, report
from kokoro_core.cli.session import Session
from kokoro_core.spec.problems.problem import Position, Problem
from tests.kokoro_core.spec.toys import PLUGINS, minimal

SIX = """\
hiden_dim: 8
encoder: {type: transformer, num_layers: 1000000000000}
duration_predictor: {type: mpl}
regulator: null
decoder:
  type: transformer
  norm: pree
loss: {stop: -1}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_main(*args: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(each) for each in args])
        captured = capsys.readouterr()
        code = caught.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return run_main


@pytest.fixture
def six(tmp_path: Path) -> Path:
    path = tmp_path / "six.yaml"
    path.write_text(SIX)
    return path


EXPECTED = [
    (1, 1, "unknown-field"),
    (2, 10, "too-many-layers"),
    (2, 10, "too-many-parameters"),
    (3, 28, "unknown-type"),
    (4, 12, "half-regulated"),
    (7, 9, "wrong-value"),
    (8, 14, "out-of-range"),
]


def test_a_spec_with_many_different_mistakes_has_all_of_them_listed_at_their_places(
    run: Run, six: Path
) -> None:
    status, out, err = run("check", six)
    assert (status, out) == (1, "")
    found = re.findall(rf"^{re.escape(str(six))}:(\d+):(\d+): .* \[([\w-]+)\]$", err, re.M)
    assert sorted((int(line), int(column), code) for line, column, code in found) == EXPECTED
    assert len(err.splitlines()) == len(EXPECTED)


def test_the_same_mistakes_are_listed_for_programs_with_what_was_received(
    run: Run, six: Path
) -> None:
    status, out, err = run("check", six, "small", "--format", "json")
    assert (status, err) == (1, "")
    assert run("check", six, "small", "--json")[1] == out
    wrong, right = json.loads(out)
    assert (right["spec"], right["problems"]) == ("small", [])
    by_code = {each["code"]: each for each in wrong["problems"]}
    assert by_code["wrong-value"]["received"] == '"pree"'
    assert by_code["wrong-value"]["expected"] == ["pre", "post"]
    assert by_code["out-of-range"]["received"] == "-1"
    assert by_code["out-of-range"]["expected"] == ["at least 0.0"]
    assert by_code["unknown-type"]["expected"] == ["conv", "lstm", "mlp", "stochastic"]
    assert "hidden_dim" in by_code["unknown-field"]["expected"]
    assert by_code["half-regulated"]["position"] == {"line": 4, "column": 12}


def test_github_shows_each_problem_beside_its_line(run: Run, six: Path) -> None:
    status, out, err = run("check", six, "small", "--format", "github")
    assert (status, err) == (1, "")
    pattern = re.compile(r"::error file=(.*),line=(\d+),col=(\d+),title=([\w-]+)::(.+)")
    found = [pattern.fullmatch(line) for line in out.splitlines()]
    assert all(each is not None and each[1] == str(six) for each in found)
    places = [(int(each[2]), int(each[3]), each[4]) for each in found if each is not None]
    assert sorted(places) == EXPECTED


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (
            Problem("a-b", "x.y", "50% of a\nb\rc, d: e", "a,b:c%.yaml", Position(3, 4)),
            "::error file=a%2Cb%3Ac%25.yaml,line=3,col=4,title=a-b::x.y: 50%25 of a%0Ab%0Dc, d: e",
        ),
        (Problem("too-large", "", "too large", "m.yaml"), "::error file=m.yaml,title=too-large::"),
        (
            Problem("wrong-value", "a", "no", "--set a=1"),
            "::error title=wrong-value::--set a=1: a: no",
        ),
    ],
)
def test_an_annotation_is_escaped_as_the_runner_reads_it(problem: Problem, expected: str) -> None:
    written = annotation(problem, "m.yaml")
    assert written.startswith(expected)
    assert "\n" not in written
    assert problem.message in unquote(written)


def test_an_override_is_no_line_of_a_file(run: Run) -> None:
    status, out, _ = run("check", "small", "--set", "encoder.norm=x", "--format", "github")
    assert status == 1
    assert out.startswith("::error title=wrong-value::--set encoder.norm=x: encoder.norm: expected")


def test_the_number_of_parameters_can_be_limited(run: Run) -> None:
    status, _, err = run("check", "small", "--max-parameters", "5687121")
    assert status == 1
    assert "[too-many-parameters]" in err
    assert run("check", "small", "--max-parameters", "5687122")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-parameters", "0"),
        ("--max-parameters", "many"),
        ("--format", "xml"),
        ("--json", "--format", "github"),
        (),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    specs = () if not arguments else ("small",)
    assert run("check", *specs, *arguments)[0] == 2


def test_a_file_that_is_not_there_does_not_hide_the_others(run: Run, six: Path) -> None:
    status, out, err = run("check", "none.yaml", six, "small", "smal")
    assert status == 1
    assert out == "small: ok\n"
    assert err.count("[no-such-spec]") == 2
    assert "did you mean `small`" in err
    assert "[half-regulated]" in err


def test_a_component_that_no_limit_of_size_holds_is_noted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "silent.json"
    path.write_text(json.dumps(minimal(encoder={"type": "stack"})))
    session = Session()
    vars(session)["plugins"] = PLUGINS
    checked = check_one(str(path), [], session)
    report([checked], Format.TEXT)
    captured = capsys.readouterr()
    assert captured.out == f"{path}: ok\n"
    assert captured.err.splitlines() == [
        f"{path}: note: size of {slot} unknown; not limited"
        for slot in ("encoder", "duration_predictor", "regulator", "decoder")
    ]
    report([checked], Format.GITHUB)
    notices = capsys.readouterr().out.splitlines()
    assert notices[0] == f"::notice title=note::{path}: size of encoder unknown; not limited"
    report([checked], Format.JSON)
    [listed] = json.loads(capsys.readouterr().out)
    assert listed["notes"] == list(checked.notes)
    assert len(listed["notes"]) == len(notices) == 4
