"""`new-spec`: the spec that it writes says everything, reads back and checks."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kokoro_core.cli.app import main
from kokoro_core.scaffold.new_spec import commented
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_plugins.transformer.params import (
    ParallelTransformerParams,
    TransformerEncoderParams,
)
from registry import installed_plugins


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


@pytest.mark.parametrize("name", sorted(installed_plugins().specs))
def test_every_shipped_spec_reads_back_equal_from_its_commented_form(
    name: str, tmp_path: Path
) -> None:
    spec = load_spec(name)
    path = tmp_path / "spec.yaml"
    path.write_text(commented(spec, installed_plugins().components), encoding="utf-8")
    assert load_spec(path) == spec


def test_every_key_of_every_part_is_there_with_a_comment() -> None:
    text = commented(load_spec("voice"), installed_plugins().components)
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    assert values.keys() == ModelSpec.model_fields.keys()
    assert values["decoder"]["place"] == {"size": 40}
    lines = text.splitlines()
    for index, line in enumerate(lines):
        above = lines[index - 1].lstrip().startswith("#")
        assert "#" in line or above, f"{line!r} has no comment"
        assert len(line) <= 100


def test_a_width_that_no_one_sets_stays_with_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    assert run("new-spec", "--like", "small", "--out", str(path)) == 0
    encoder = load_spec(path, overrides={"hidden_dim": 64}).encoder
    assert isinstance(encoder, TransformerEncoderParams)
    assert encoder.hidden_dim == 64


def test_options_choose_components_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(
        *("new-spec", "--like", "small", "--name", "on", "--decoder", "parallel_transformer"),
        *("--postnet", "conv", "--encoder", "transformer", "--set", "decoder.num_layers=2"),
    )
    assert status == 0
    spec = load_spec(YAML(typ="safe", pure=True).load(io.StringIO(capsys.readouterr().out)))
    assert (spec.name, spec.decoder.type) == ("on", "parallel_transformer")
    assert isinstance(spec.encoder, TransformerEncoderParams)
    assert isinstance(spec.decoder, ParallelTransformerParams)
    assert (spec.encoder.num_layers, spec.decoder.num_layers) == (3, 2)
    assert spec.postnet is not None


def test_a_wrong_choice_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("new-spec", "--encoder", "transformr") == 1
    assert "did you mean `transformer`?" in capsys.readouterr().err


def test_a_file_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("mine")
    assert run("new-spec", "--name", "x", "--out", str(path)) == 1
    assert "exists" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_without_options_a_terminal_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = io.StringIO(
        "my-voice\ntransformer\nnone\nconv\nrepeat\nparallel\nparallel_transformer\nnone\n"
    )
    monkeypatch.setattr(answers, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", answers)
    assert run("new-spec") == 0
    printed = capsys.readouterr()
    spec = load_spec(YAML(typ="safe", pure=True).load(io.StringIO(printed.out)))
    assert spec.name == "my-voice"
    assert spec.duration_predictor is not None
    assert (spec.duration_predictor.type, spec.decoder.type) == ("conv", "parallel_transformer")
    assert spec.regulator is not None
    assert (spec.regulator.type, spec.postnet) == ("repeat", None)
    assert "write one of " in printed.err
    [offered] = re.findall(r": decoder \(([^)]+)\) \[transformer\]", printed.err)
    assert set(offered.split(", ")) == set(installed_plugins().components.names("decoder"))
