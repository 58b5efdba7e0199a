"""What an override drops is said wherever specs are read, once, beside the output."""

from __future__ import annotations

import json

import pytest

from kokoro_core.cli.app import main

SETTING = "decoder.type=parallel_transformer"


@pytest.fixture
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("notes") / "m.yaml"
    path.write_text(
        "hidden_dim: 8\n"
        "encoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}\n"
        "duration_predictor: {type: mlp}\n"
        "regulator: {type: repeat}\n"
        "decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}\n"
    )
    return str(path)


NOTE = f"--set {SETTING}: dropped num_layers, num_heads, ff_dim of the former component"


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[str, str]:
    with pytest.raises(SystemExit):
        main(list(args))
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("command", ["check", "resolve", "describe", "graph", "train"])
def test_a_command_says_what_an_override_dropped(
    command: str, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"train": ["--data", "/nowhere", "--steps", "1", "--device", "cpu"]}
    _, err = run(capsys, command, spec, "--set", SETTING, *more.get(command, []))
    assert err.count(f"note: {NOTE}") == 1
    _, err = run(capsys, command, spec, *more.get(command, []))
    assert "dropped" not in err


@pytest.mark.parametrize("command", ["check", "resolve", "describe"])
def test_programs_get_the_notes_in_json(
    command: str, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(capsys, command, spec, "--set", SETTING, "--json")
    found = json.loads(out)
    assert err == ""
    assert (found[0] if command == "check" else found)["notes"] == [NOTE]
