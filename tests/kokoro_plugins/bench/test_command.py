"""The runner, the report and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from kokoro_core.cli.app import main
from kokoro_core.kernels import cpu
from kokoro_core.kernels.cpu import Processor
from kokoro_plugins.bench import command, runner
from kokoro_plugins.bench.cases.frame import read_bytes
from kokoro_plugins.bench.cases.regulator import loop_over_phonemes, loop_over_rows
from kokoro_plugins.bench.catalogue import CASES, Case, cases_named
from kokoro_plugins.bench.growth import fit_growth
from kokoro_plugins.bench.machine import machine_facts
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.report import markdown, verdict_table
from kokoro_plugins.bench.results import CaseResult, Measurement, Verdict
from kokoro_plugins.bench.runner import read_results, run_case, run_cases, write_result
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Timing

POSITIVE = {"type": "number", "exclusiveMinimum": 0}
SCHEMA = {
    "type": "object",
    "required": ["format", "date", "machine", "scale", "threads", "name", "title", "notes"],
    "properties": {
        "format": {"const": 1},
        "machine": {"type": "object", "required": ["processor", "flags", "cores", "versions"]},
        "measurements": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["contender", "setting", "median_s", "min_s", "samples_s", "facts"],
                "properties": {
                    "median_s": POSITIVE,
                    "min_s": POSITIVE,
                    "samples_s": {"type": "array", "minItems": 2, "items": POSITIVE},
                },
            },
        },
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["what", "setting", "value", "relation", "bar", "met"],
                "properties": {"relation": {"enum": ["at most", "at least"]}},
            },
        },
    },
}

BARS = {
    "frame": [1.25, 1.25, 1.6, 1.6, 1.6, 1.15],
    "batch": [],
    "utterance": [1.6, 4.0],
    "many": [1.0],
    "training": [1.176, 1.3, 2.0, 2.5],
    "memory": [0.40, 1.35, 0.25, 1.35],
    "regulator": [10.0, 10.0, 10.0, 10.0],
    "loading": [1.2, 1.2, 1.2, 1.2, 1.0, 1.0, 1.3],
}
"""The bars of each case, in its order."""


@pytest.mark.parametrize("name", list(BARS))
def test_every_case_measures_and_judges(name: str, scale: Scale) -> None:
    [case] = cases_named([name])
    threads = torch.get_num_threads()
    found = json.loads(json.dumps(run_case(case, scale, 1)))
    jsonschema.validate(found, SCHEMA)
    assert (found["name"], found["threads"]) == (name, 1)
    assert [each["bar"] for each in found["verdicts"]] == BARS[name]
    grown = [each for each in found["verdicts"] if "growth of a fresh process" in each["what"]]
    assert all(each["value"] >= 0 for each in found["verdicts"] if each not in grown)
    for each in grown:  # pages come and go, which for weights of a few KiB may outweigh them
        assert each["value"] * each["setting"]["MiB"] > -4
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("fast", [False, True])
def test_a_result_says_that_its_processor_has_no_bfloat16(
    fast: bool, scale: Scale, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Processor("avx2", bfloat16_instructions=fast)
    monkeypatch.setattr(cpu, "processor", lambda: facts)

    def measured(name: str) -> CaseResult:
        return CaseResult("x", "x", [Measurement(name, {"rows": 1}, Timing((0.1,)), {})])

    for name, said in (("ours, bfloat16 autocast", not fast), ("ours", False)):
        case = Case("x", "x", "")
        monkeypatch.setattr(Case, "load", lambda _, name=name: lambda *_: measured(name))
        notes = run_case(case, scale, 1)["notes"]
        assert any("no instructions for bfloat16" in each for each in notes) is said


def test_every_case_has_its_bars_listed_here_or_a_test_of_its_own() -> None:
    assert {case.name for case in CASES} == {*BARS, "serving", "voice"}


@pytest.mark.parametrize(
    ("relation", "value", "met"),
    [
        ("at most", 1.24, True),
        ("at most", 1.25, True),
        ("at most", 1.26, False),
        ("at least", 1.24, False),
        ("at least", 1.25, True),
        ("at least", 1.26, True),
    ],
)
def test_a_verdict_is_met_on_its_side_of_the_bar(relation: Any, value: float, met: bool) -> None:
    assert Verdict("a / b", value, relation, 1.25).met is met


def test_the_default_scale_is_what_the_bars_are_for() -> None:
    scale = Scale()
    assert scale.lengths == (100, 200, 400, 800, 1600)
    assert (scale.frame, scale.batches, scale.training) == (400, (1, 8, 32), (4, 420))
    assert scale.model == ModelSize()
    model = our_model(scale.model, **{"encoder.num_layers": 1, "decoder.num_layers": 1})
    assert model.spec.hidden_dim == 512
    assert Scale.quick().model == ModelSize()
    assert Scale.quick().frame in Scale.quick().lengths


def test_the_bytes_of_the_default_decoder_grow_as_the_formula_of_its_layers_says() -> None:
    size = ModelSize()
    layer = 6 * 512 * 512 + 2 * 512 * 2048
    assert size.weight_numbers() == 6 * layer + 512 * 80 + 81 * 512
    assert size.cache_numbers(400, 400) == 6 * 2 * 2 * 400 * 512


def test_what_ours_and_the_floor_read_is_weights_and_caches_in_their_type() -> None:
    size = ModelSize()
    numbers = size.weight_numbers() + size.cache_numbers(400, 400)
    assert read_bytes("ours", size, 400) == read_bytes("floor, packed", size, 400) == 4 * numbers
    assert read_bytes("ours, bfloat16", size, 400) == 2 * numbers
    assert read_bytes("SpeechT5", size, 400) == 0


def test_both_loops_of_the_regulators_case_give_what_ours_gives(size: ModelSize) -> None:
    regulator = our_model(size).acoustic.regulator
    assert regulator is not None
    hidden, durations = torch.randn(3, 4, 5), torch.tensor([[1, 2, 3, 1], [4, 1, 1, 1], [1] * 4])
    mask = torch.zeros(3, 4, dtype=torch.bool)
    ours = regulator.expand(regulator.plan(hidden, durations, mask, 7), hidden)
    torch.testing.assert_close(loop_over_rows(hidden, durations), ours, rtol=0, atol=0)
    torch.testing.assert_close(loop_over_phonemes(hidden, durations), ours, rtol=0, atol=0)


def a_result(name: str = "frame", threads: int = 1) -> dict[str, Any]:
    found = CaseResult(name, "one frame")
    for frames, ours in ((100, 0.010), (400, 0.012)):
        setting = {"threads": threads, "rows": 1, "frames": frames}
        found.measurements.append(Measurement("ours", setting, Timing((ours, ours / 2)), {"x": 2}))
        found.add({"floor, rows": Timing((0.008,))}, setting)
    found.growth.append(("ours", {"threads": threads}, fit_growth({100: 0.010, 400: 0.012})))
    found.verdicts.append(Verdict("ours / floor", 1.5, "at most", 1.25, {"frames": [100, 400]}))
    found.verdicts.append(Verdict("b / ours", 1.7, "at least", 1.6, {"rows": 1, "frames": 400}))
    found.notes.append("A note.")
    machine = machine_facts()
    return {
        "format": 1,
        "date": "2026-11-22",
        "machine": machine,
        "scale": {},
        "threads": threads,
        **found.report(),
    }


def test_verdicts_are_told_with_their_bars() -> None:
    columns, rows = verdict_table([a_result()])
    assert columns == ["case", "ratio of medians", "with", "value", "bar", ""]
    assert rows == [
        ["frame", "ours / floor", "100 to 400 frames", "1.50", "≤ 1.25", "not met"],
        ["frame", "b / ours", "1 row, 400 frames", "1.70", "≥ 1.6", "met"],
    ]


def test_a_page_has_the_machine_the_bars_the_times_and_the_growth() -> None:
    page = markdown([a_result(), a_result("other", 2)])
    assert page.count("| --- |") >= 5
    assert "| ours | 1 row, 100 frames | 7.50 | 5.00 | 2 |" in page
    assert "| floor, rows | 1 row, 400 frames | 8.00 | 8.00 |  |" in page
    assert "## other, 2 threads: one frame" in page
    assert "ms at 0" in page
    assert page.count("A note.") == 2
    assert page.count("Python 3.") == 1  # one machine, told once


def test_results_of_several_runs_come_together_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "run_case", lambda case, _, threads: a_result(case.name, threads))
    said: list[str] = []
    run_cases(cases_named(["frame"]), Scale(), [1, 2], tmp_path, said.append)
    found = run_cases(cases_named(["batch"]), Scale(), [1], tmp_path, said.append)
    assert [(each["name"], each["threads"]) for each in found] == [
        ("batch", 1),
        ("frame", 1),
        ("frame", 2),
    ]
    assert said == ["frame, 1 thread …", "frame, 2 threads …", "batch, 1 thread …"]
    assert len(run_cases(cases_named(["batch"]), Scale(), [1], None, said.append)) == 1


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    write_result(tmp_path, a_result())
    assert len(read_results(tmp_path)) == 1
    for content in ("[]", "{", '{"format": 1}', "null", "[" * 100_000):
        (tmp_path / "other.json").write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=r"other\.json` must be a result of `kokoro-core ben"):
            read_results(tmp_path)
    (tmp_path / "other.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"other\.json` must be a result of `kokoro-core bench`"):
        read_results(tmp_path)


def test_a_folder_that_results_cannot_be_kept_in_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "run_case", lambda *_: pytest.fail("measured"))
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "inside"):
        assert run("loading", "--out", str(out)) == 1
        assert f"must be a folder, but `{file}` is a file" in capsys.readouterr().err
    (tmp_path / "other.json").write_text("{")
    assert run("loading", "--out", str(tmp_path)) == 1
    assert "other.json` must be a result of" in capsys.readouterr().err


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])
    return int(ended.value.code or 0)


def test_the_command_writes_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "run_case", lambda case, _, threads: a_result(case.name, threads))
    assert run("frame", "training", "--quick", "--out", str(tmp_path)) == 0
    printed = capsys.readouterr()
    assert "ours / floor" in printed.out
    assert "frame, 1 thread …" in printed.err
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "frame-1.json",
        "results.md",
        "training-1.json",
    ]
    assert run("training", "--threads", "2", "--json") == 0
    [printed_result] = json.loads(capsys.readouterr().out)
    assert (printed_result["name"], printed_result["threads"]) == ("training", 2)


def test_the_options_of_the_command_reach_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    scales: list[Scale] = []

    def note(case: Any, scale: Scale, threads: int) -> dict[str, Any]:
        scales.append(scale)
        return a_result(case.name, threads)

    monkeypatch.setattr(runner, "run_case", note)
    assert run("loading", "--rounds", "2", "--threads", "1") == 0
    assert run("loading", "--quick") == 0
    assert [each.rounds for each in scales] == [2, Scale.quick().rounds]
    assert scales[0].lengths == Scale().lengths


def test_cases_are_listed_without_torch_running(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed] == [case.name for case in CASES]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["fram"], "`fram` is not a case, did you mean `frame`"),
        (["zzz"], "`zzz` is not a case. There are frame, batch"),
        (["frame", "--device", "tpu"], "tpu"),
        (["frame", "--device", "cpu:7"], "`--device cpu:7` is not on this machine"),
    ],
    ids=["misspelt", "unknown", "device", "number"],
)
def test_what_cannot_be_measured_is_refused(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    assert why in capsys.readouterr().err


def test_missing_peers_are_said_with_the_extra_that_brings_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert run("loading") == 1
    assert "pip install 'kokoro-core[bench]'" in capsys.readouterr().err
