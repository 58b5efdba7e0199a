"""What a message suggests is what was meant, and where it points something stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from registry import ComponentRegistry, Plugins, installed_plugins
from registry.errors import UnknownComponent
from tests.kokoro_core.test_api import tiny

DECODER = "decoder: {type: transformer}\n"
BODY = "duration_predictor: {type: mlp}\nregulator: {type: repeat}\n"


def message_of(text: str, folder: Path) -> str:
    (folder / "m.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(folder / "m.yaml")
    [problem] = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("transformer", "transformer"),
        ("parallel_transformer", "parallel_transformer"),
        ("transformer/transformer", "transformer/transformer"),
        ("transfomer", "transformer"),
    ],
)
def test_a_component_that_is_written_as_its_name_is_suggested_as_a_mapping(
    written: str, suggested: str, tmp_path: Path
) -> None:
    said = message_of(f"encoder: {{type: transformer}}\n{BODY}decoder: {written}\n", tmp_path)
    assert f"for example {{type: {suggested}}}" in said


def test_a_misspelt_setting_of_a_part_that_has_a_name_is_recognised(tmp_path: Path) -> None:
    adaptor = "token_adaptors:\n  pitch: {type: variance, chanels: 3}\n"
    said = message_of(
        f"name: x\nencoder: {{type: transformer}}\n{BODY}{adaptor}{DECODER}", tmp_path
    )
    assert "m.yaml:6:27: token_adaptors.pitch.chanels: unknown field" in said
    assert "did you mean 'channels'?" in said


def test_a_name_of_other_slots_is_said_to_be_theirs(tmp_path: Path) -> None:
    said = message_of(f"encoder: {{type: conv}}\n{BODY}decoder: {{type: transformer}}\n", tmp_path)
    assert "no encoder is named 'conv', but there is a duration_predictor and a postnet" in said
    with pytest.raises(UnknownComponent, match="but there is a duration_predictor and a postnet"):
        installed_plugins().components.find("encoder", "conv")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("audio: {n_mels: 100}", "do not meet the 80 of `mel_dim`, which is left out"),
        ("mel_dim: 90\naudio: {n_mels: 100}", "do not meet the 90 of `mel_dim` ("),
    ],
)
def test_the_second_place_of_a_problem_is_where_it_stands_or_left_out(
    text: str, place: str, tmp_path: Path
) -> None:
    parts = f"encoder: {{type: transformer}}\n{BODY}decoder: {{type: transformer}}\n"
    assert place in message_of(f"{parts}{text}\n", tmp_path)


def test_a_width_that_is_left_out_is_said_to_be(tmp_path: Path) -> None:
    parts = "encoder: {type: transformer, hidden_dim: 64}\n"
    (tmp_path / "m.yaml").write_text(f"{parts}{BODY}decoder: {{type: transformer}}\n")
    with pytest.raises(SpecError, match="set by `hidden_dim`, which is left out"):
        load_spec(tmp_path / "m.yaml")


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("plugins.torch=>=99", "--set 'plugins.torch=\">=99\"'"),
        ("name=[a", "--set 'name=\"[a\"'"),
        ("name=%x", "--set 'name=\"%x\"'"),
        ("name=a: b: c", "--set 'name=\"a: b: c\"'"),
        ("name='it", "--set 'name=\"'\"'\"'it\"'"),
    ],
)
def test_a_value_that_yaml_wants_in_quotes_is_advised_as_the_shell_takes_it(
    setting: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "small", "--set", setting])
    assert ended.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "put it into quotes that the shell leaves" in line
    assert advice in line


def without(plugin: str) -> Plugins:
    ours = installed_plugins()
    return Plugins(
        records=ours.records,
        components=ComponentRegistry(each for each in ours.components if each.plugin != plugin),
        specs=ours.specs,
        commands=ours.commands,
    )


def test_a_checkpoint_whose_plugin_is_missing_names_the_distribution_that_it_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    tiny(**{"duration_predictor": {"type": "conv", "channels": 8}}).save(path)
    plugins = without("fastspeech")
    recorded = r"no duration_predictor is named .*; it was made with `kokoro-core` 0\.1\.0"
    with pytest.raises(SpecError, match=recorded):
        KokoroModel.load(path, plugins=plugins)
    session: Any = __import__("kokoro_core.cli.session", fromlist=["x"])
    monkeypatch.setattr(session, "installed_plugins", lambda: plugins)
    with pytest.raises(SystemExit):
        main(["diff", str(path), "small"])
    assert "it was made with `kokoro-core` 0.1.0" in capsys.readouterr().err
