"""Every command works where standard output cannot show all of Unicode."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kokoro_core import Adapt, KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.text.parse import parse
from registry import installed_plugins
from tests.kokoro_core.test_api import tiny

ENCODINGS = ["cp1252", "ascii", "latin-1"]
SPEC = """\
format: 1
name: Stimme ɪ → 漢 é
hidden_dim: 8
encoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}   # größer → besser
duration_predictor: {type: mlp}
regulator: {type: repeat}
decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}
"""
COMMANDS = [
    ["check", "SPEC"],
    ["check", "SPEC", "--json"],
    ["check", "SPEC", "--set", "encoder.→=1"],
    ["check", "SPEC", "--set", "encoder.→=1", "--json"],
    ["check", "SPEC", "--set", "encoder.→=1", "--format", "github"],
    ["components"],
    ["components", "--json"],
    ["describe", "espeak"],
    ["describe", "SPEC"],
    ["describe", "SPEC", "--json"],
    ["specs"],
    ["plugins"],
    ["plugins", "--json"],
    ["schema"],
    ["resolve", "SPEC"],
    ["resolve", "SPEC", "--explain"],
    ["resolve", "SPEC", "--json"],
    ["diff", "SPEC", "small"],
    ["diff", "SPEC", "small", "--markdown"],
    ["diff", "SPEC", "small", "--json"],
    ["graph", "SPEC"],
    ["graph", "SPEC", "--format", "dot"],
    ["new-spec", "--like", "SPEC"],
    ["upgrade", "SPEC"],
    ["checkpoint", "inspect", "MODEL", "--tensors"],
    ["checkpoint", "verify", "MODEL"],
    ["checkpoint", "diff", "MODEL", "OTHER"],
    ["checkpoint", "diff", "MODEL", "OTHER", "--json"],
    ["checkpoint", "convert", "MODEL", "COPY"],
    ["conformance", "--list"],
    ["conformance", "--list", "--json"],
    ["profile", "SPEC", "--phonemes", "3"],
    *([each.name, "--help"] for each in installed_plugins().commands.values()),
    ["--help"],
    ["nonsense→"],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("ɪ→é")
    paths = {
        "SPEC": "Stimme→.yaml",
        "MODEL": "modèle→.safetensors",
        "OTHER": "b.safetensors",
        "COPY": "copie→.safetensors",
    }
    (folder / paths["SPEC"]).write_text(SPEC, encoding="utf-8")
    tiny().save(folder / paths["MODEL"])
    tiny(name="→").save(folder / paths["OTHER"])
    return {key: str(folder / name) for key, name in paths.items()}


def run(encoding: str, arguments: Sequence[str]) -> tuple[int, bytes]:
    """Run a command with strict streams of an encoding, as pipes have them."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, errors="strict") for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as caught:
            main([*arguments])
    streams[0].flush()
    return int(caught.value.code or 0), streams[0].buffer.getvalue()


@pytest.fixture(scope="module")
def status_in_unicode(files: dict[str, str]) -> Callable[[tuple[str, ...]], int]:
    """Return how a command ends where everything can be shown; each is run once."""

    @functools.cache
    def status(arguments: tuple[str, ...]) -> int:
        Path(files["COPY"]).unlink(missing_ok=True)
        return run("utf-8", arguments)[0]

    return status


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_ends_as_it_does_where_everything_can_be_shown(
    command: list[str],
    encoding: str,
    files: dict[str, str],
    status_in_unicode: Callable[[tuple[str, ...]], int],
) -> None:
    arguments = tuple(files.get(each, each) for each in command)
    expected = status_in_unicode(arguments)
    Path(files["COPY"]).unlink(missing_ok=True)
    status, out = run(encoding, arguments)
    assert status == expected
    if "--json" in command or command == ["schema"]:
        json.loads(out.decode(encoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "command", [["resolve"], ["resolve", "--explain"], ["new-spec", "--like"], ["upgrade"]]
)
def test_a_spec_that_is_piped_into_a_file_is_a_spec(
    command: list[str],
    encoding: str,
    files: dict[str, str],
    tmp_path: Path,
) -> None:
    _, out = run(encoding, [*command, files["SPEC"]])
    assert parse(out).value["name"] == "Stimme ɪ → 漢 é"
    (tmp_path / "again.yaml").write_bytes(out)
    assert load_spec(tmp_path / "again.yaml") == load_spec(files["SPEC"])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_report_of_an_adaptation_is_printed_in_any_encoding(
    encoding: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    KokoroModel.load(files["MODEL"], adapt=Adapt(overrides={"name": "漢"}))
    monkeypatch.undo()
    stream.flush()
    printed = stream.buffer.getvalue().decode(encoding)
    assert "setting name: " in printed
    assert "\\u6f22" in printed


def test_a_process_with_a_narrow_pipe_ends_well(files: dict[str, str]) -> None:
    for command in (["describe", "espeak"], ["resolve", files["SPEC"], "--json"]):
        ran = subprocess.run(
            [sys.executable, "-m", "kokoro_core", *command],
            env={"PYTHONIOENCODING": "cp1252", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, b"")
