"""How fast a voice speaks in each runtime: all take turns, and the median round counts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_plugins.export import speed
from kokoro_plugins.export.speed import Speed, measure_speed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that goes on only as speakers let it."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_runtimes_take_turns_and_the_median_round_counts(parallel, monkeypatch, clock):
    turns: list[str] = []
    costs = {"slow": [9.0, 2.0, 8.0, 2.0], "fast": [9.0, 0.5, 0.5, 7.0]}

    def speaker(name: str):
        left = list(costs[name])

        def speak(text: str) -> int:
            turns.append(name)
            assert torch.get_num_threads() == 1
            clock[0] += left.pop(0)
            return 22_050 * 4

        return speak

    speakers = {name: speaker(name) for name in costs}
    monkeypatch.setattr(speed, "_speakers", lambda *_: (speakers, {"fast": 12}))
    found = measure_speed(parallel, ["one"], rounds=3)
    assert turns == ["slow", "fast"] * 4
    assert found == [Speed("slow", 0.5, None), Speed("fast", 0.125, 12)]


def test_each_runtime_speaks_the_same_texts(heart, heart_files, monkeypatch):
    """The graphs that are there stand for those that would be exported."""

    def exported(model: KokoroModel, out: Path, *, to: str, **_: object) -> None:
        Path(out).symlink_to(heart_files / ("sherpa" if to == "sherpa" else "heart.onnx"))

    monkeypatch.setattr(speed, "export_model", exported)
    text = "Snow covered the roofs of the quiet town."
    found = measure_speed(heart, [text, "She found a small key."], rounds=1)
    names = ["checkpoint", "ONNX float32", "ONNX int8", "sherpa-onnx"]
    assert [each.runtime for each in found] == names
    assert all(each.real_time_factor > 0 for each in found)
    assert [each.size is None for each in found] == [True, False, False, False]


def test_the_command_shows_a_table(checkpoint, tmp_path, monkeypatch, capsys):
    asked = []

    def measured(model, texts, rounds):
        asked.append((texts, rounds))
        return [Speed("checkpoint", 0.05, None), Speed("ONNX int8", 0.025, 8_400_000)]

    monkeypatch.setattr(speed, "measure_speed", measured)
    texts = tmp_path / "texts.txt"
    texts.write_text("one\n\ntwo \n", encoding="utf-8")
    arguments = ["export-speed", str(checkpoint), str(texts), "--rounds", "3"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert asked == [(["one", "two"], 3)]
    *_, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["ONNX", "int8", "0.0250", "40", "8.4"]
    with pytest.raises(SystemExit):
        main([*arguments, "--json"])
    first, _ = json.loads(capsys.readouterr().out)
    assert first == {"runtime": "checkpoint", "real_time_factor": 0.05, "size": None}
