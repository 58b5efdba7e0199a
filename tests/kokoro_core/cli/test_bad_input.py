"""Nothing that lies about, or that a shell hands over, ends a command in a traceback."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kokoro_core.cli.app import main
from kokoro_core.cli.output import write_file
from tests.kokoro_core.test_api import tiny

SPEC = """\
hidden_dim: 8
encoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}
duration_predictor: {type: mlp}
regulator: {type: repeat}
decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}
"""
CONTENTS = {
    "empty.yaml": b"",
    "utf16.yaml": SPEC.encode("utf-16"),
    "nul.yaml": SPEC.encode() + b"\x00",
    "noise.yaml": bytes(range(128, 256)) * 40,
    "large.yaml": b"#" * 3_000_000,
    "packed.gz": gzip.compress(SPEC.encode()),
    "empty.safetensors": b"",
    "noise.safetensors": b"\xff" * 100,
    "list.safetensors.index.json": b"[]",
}
READING = (
    ["check"],
    ["describe"],
    ["resolve", "--explain"],
    ["diff", "small"],
    ["graph"],
    ["new-spec", "--like"],
    ["upgrade"],
    ["checkpoint", "inspect"],
    ["checkpoint", "verify"],
    ["conformance", "--check", "shapes"],
)


@pytest.fixture(scope="module")
def lying_about(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("lying about é")
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    for name in ("folder.yaml", "folder.safetensors", "folder"):
        (folder / name).mkdir()
    (folder / "nowhere.yaml").symlink_to("gone")
    (folder / "nowhere.safetensors").symlink_to("gone")
    (folder / "circle.yaml").symlink_to("circle.yaml")
    os.mkfifo(folder / "pipe.yaml")
    paths = {each.name: str(each) for each in folder.iterdir()}
    odd = ["", "-", ".", "/", "~/x.yaml", "/dev/null", "a\x00b.yaml", "a\udce9.yaml", "x" * 300]
    inside = [str(folder / "empty.yaml" / "x.yaml"), str(folder / "no" / "where.yaml")]
    return {**paths, **{each[:20]: each for each in [*odd, *inside]}}


def run(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_is_no_spec_and_no_checkpoint_is_said_in_a_few_lines(
    command: list[str], lying_about: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, path in lying_about.items():
        assert run(*command, path) in (1, 2), name
        printed = capsys.readouterr()
        assert 1 <= len(printed.err.splitlines()) <= 12, name


@pytest.mark.parametrize("content", [SPEC.encode(), b"\xef\xbb\xbf" + SPEC.encode()])
@pytest.mark.parametrize("name", ["with blanks.yaml", "日本→.yml", "x.json.yaml"])
def test_a_spec_is_read_under_any_name_with_any_line_ends(
    content: bytes, name: str, tmp_path: Path
) -> None:
    for each in (content, content.replace(b"\n", b"\r\n")):
        (tmp_path / name).write_bytes(each)
        assert run("check", str(tmp_path / name)) == 0


WRITING = (
    ["graph", "small", "--format", "dot", "--out"],
    ["schema", "--out"],
    ["new-spec", "--like", "small", "--out"],
    ["new-plugin", "acme-x", "--slot", "encoder", "--out"],
)


@pytest.mark.parametrize("command", WRITING, ids=lambda each: each[0])
def test_a_place_that_cannot_be_written_to_is_one_line_and_nothing_is_left(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    for name in ("no/where/x.dot", "file/x.dot", "folder", "a\x00b.dot"):
        assert run(*command, str(tmp_path / name)) in (1, 2), name
        assert 1 <= len(capsys.readouterr().err.splitlines()) <= 6  # usage has a box
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("command", WRITING[2:], ids=lambda each: each[0])
def test_what_must_be_new_is_not_written_through_a_link(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert run(*command, str(tmp_path / "link")) == 1
    assert "exists; `--out` names a" in capsys.readouterr().err
    assert not (tmp_path / "target").exists()


def test_a_file_is_as_it_was_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "old.dot"
    file.write_text("old")
    file.chmod(0o640)

    def full(self: Path, *_: object, **__: object) -> None:
        self.touch()
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_file(file, "new")
    assert caught.value.filename == str(file)
    assert [each.name for each in tmp_path.iterdir()] == ["old.dot"]
    assert file.read_text() == "old"
    write_file(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "is a directory; give the spec file in it"),
        ("pipe.yaml", "it is a pipe or a device; write the spec to a file first"),
        ("nowhere.yaml", "it is a link that leads nowhere"),
    ],
)
def test_what_is_at_the_path_of_a_spec_is_said(
    name: str,
    message: str,
    lying_about: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(lying_about["folder"]).parent)
    assert run("check", name) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["new-spec", "specs", "schema"])
def test_a_command_works_in_a_process_without_standard_streams(command: str) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m kokoro_core {command} <&- >&-"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
@pytest.mark.parametrize("command", ["specs", "schema", "check small"])
def test_a_full_disk_behind_standard_output_is_one_line(command: str) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m kokoro_core {command} > /dev/full"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == "Writing or reading: No space left on device.\n"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20), st.text(max_size=20))
@example("encoder.num_layers", "\x00")
@example("plugins.torch", ">=99")
@example("encoder[0]", "1")
@example("\udce9", "1")
@example("name", "\udce9")
@example("encoder", "transformer")
@example("a" * 3000, "[" * 3000)
def test_any_override_is_taken_or_refused_with_lines(path: str, value: str) -> None:
    assert run("check", "small", "--set", f"{path}={value}") in (0, 1)


def test_a_checkpoint_where_a_spec_is_wanted_says_what_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    tiny().save(path)
    for command in (["check"], ["describe"], ["graph"], ["conformance"], ["upgrade"]):
        assert run(*command, str(path)) == 1
        assert (
            "this is a checkpoint, not a spec; `kokoro-core checkpoint" in capsys.readouterr().err
        )
