"""The command ``upgrade``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kokoro_core.cli.app import main
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.text.upgrade import upgrade_text
from registry import installed_plugins

PARTS = {
    "encoder": {"type": "transformer"},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {"type": "transformer"},
}
OLD = "# mine\nhidden_dim: 16\nn_heads: 2  # two\n"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.yaml"
    path.write_text(OLD)
    return path


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["upgrade", *map(str, arguments)])
    return int(caught.value.code or 0)


def test_without_write_the_text_is_printed_and_the_file_stays(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(old) == 0
    printed = capsys.readouterr()
    assert printed.out == upgrade_text(OLD, "old.yaml", installed_plugins()).text
    assert printed.err == f"{old}: format 0 -> 1: the keywords of the model became components\n"
    assert old.read_text() == OLD


def test_write_rewrites_each_file_once(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(old, "--write") == 0
    assert load_spec(old).hidden_dim == 16
    assert "num_heads: 2  # two" in old.read_text()
    assert [each.name for each in old.parent.iterdir()] == ["old.yaml"]
    before = old.read_text(), old.stat().st_mtime_ns
    assert run(old, "--write") == 0
    assert (old.read_text(), old.stat().st_mtime_ns) == before
    assert capsys.readouterr().err.endswith("is up to date\n")


def test_what_is_wrong_after_the_upgrade_is_printed(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old.write_text(OLD + "n_head: 2\n")
    assert run(old, "--write") == 1
    assert "n_head: unknown field" in capsys.readouterr().err
    assert "n_head: 2" in old.read_text()


def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none.yaml") == 1
    assert "There is no spec file" in capsys.readouterr().err
    (tmp_path / "bad.yaml").write_text("a: *b\n")
    assert run(tmp_path / "bad.yaml") == 1
    assert "bad.yaml:1:4:" in capsys.readouterr().err


def test_checking_an_old_file_names_the_command(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", str(old)])
    assert caught.value.code == 1
    assert "`kokoro-core upgrade --write` rewrites the file [old-spec]" in capsys.readouterr().err


def test_a_format_that_is_not_known_yet_is_a_problem_and_not_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "future.json"
    path.write_text(json.dumps({**PARTS, "format": 7}))
    assert run(path, "--write") == 1
    error = capsys.readouterr().err
    assert "format: expected 1, got 7 [wrong-value]" in error
    assert "up to date" not in error


def test_windows_line_ends_stay(old: Path) -> None:
    expected = upgrade_text(OLD, "old.yaml", installed_plugins()).text
    old.write_bytes(OLD.replace("\n", "\r\n").encode())
    assert run(old, "--write") == 0
    assert old.read_bytes() == expected.replace("\n", "\r\n").encode()


def test_a_file_that_is_not_there_does_not_stop_the_others(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none.yaml", old, "--write") == 1
    assert "There is no spec file `" in capsys.readouterr().err
    assert load_spec(old).hidden_dim == 16
