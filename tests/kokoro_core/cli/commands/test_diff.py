"""The command ``diff``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.api import KokoroModel
from kokoro_core.cli.app import main

TINY = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.ff_dim": 8,
    "decoder.num_layers": 1,
    "decoder.ff_dim": 8,
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run_main(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["diff", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return run_main


def test_json_has_the_changes_and_the_counts_of_both(run: Any) -> None:
    status, out, _ = run("small", "small", "--set-b", "postnet.type=conv", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["changes"] == [
        {"path": "postnet", "kind": "component", "old": None, "new": "tacotron/conv"}
    ]
    assert found["counts"]["postnet"]["parameters"] == [0, 4_348_144]
    # five convolutions of width 5: 80 -> 512, three 512 -> 512, 512 -> 80
    products = 5 * (80 * 512 + 3 * 512 * 512 + 512 * 80)
    assert found["counts"]["postnet"]["multiply-adds a frame"] == [0, products]
    assert found["total"]["parameters"] == [5_687_122, 5_687_122 + 4_348_144]
    assert (
        found["counts"]["encoder"]["parameters"][0] == found["counts"]["encoder"]["parameters"][1]
    )
    assert found["a"]["hash"] != found["b"]["hash"]


def test_the_table_shows_changes_and_only_the_counts_that_differ(run: Any) -> None:
    status, out, _ = run("small", "base")
    assert status == 0
    assert "hidden_dim" in out
    assert "22,580,818" in out
    assert "+16,893,696 (+297.1 %)" in out
    status, out, _ = run("small", "small", "--set-b", "loss.stop=2")
    assert "parameters and multiply-adds are the same" in out


def test_specs_that_mean_the_same_are_said_to(run: Any) -> None:
    assert run("small", "small", "--set-a", "encoder.type=transformer/transformer") == (
        0,
        "small encoder.type=transformer/transformer and small mean the same\n",
        "",
    )


def test_markdown_is_two_tables(run: Any) -> None:
    _, out, _ = run(
        "small", "small", "--set-b", "name=a|b", "--set-b", "encoder.num_layers=4", "--markdown"
    )
    lines = out.splitlines()
    assert lines[0] == "| setting | small | small name=a\\|b encoder.num_layers=4 |"
    assert "| `name` | small | a\\|b |" in lines
    assert "| `encoder.num_layers` | 3 | 4 |" in lines
    rows = [line for line in lines if line.startswith("| ") and "---" not in line]
    assert {line.replace("\\|", "").count("|") for line in rows[:3]} == {4}
    assert any(line.startswith("| encoder | parameters | ") for line in lines)


def test_a_checkpoint_is_compared_by_the_spec_in_it(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    KokoroModel.from_spec("small", overrides=TINY).save(path)
    changed = [option for key, value in TINY.items() for option in ("--set-a", f"{key}={value}")]
    status, out, _ = run("small", path, *changed)
    assert status == 0
    assert out.endswith("mean the same\n")
    _, out, _ = run(path, path, "--set-b", "decoder.ff_dim=16", "--json")
    assert [each["path"] for each in json.loads(out)["changes"]] == ["decoder.ff_dim"]


def test_a_folder_with_a_model_is_compared_as_every_command_finds_it(
    run: Any, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    KokoroModel.from_spec("small", overrides=TINY).save(tmp_path / "run" / "model.safetensors")
    _, out, _ = run(tmp_path / "run", tmp_path / "run", "--set-b", "decoder.ff_dim=16", "--json")
    assert [each["path"] for each in json.loads(out)["changes"]] == ["decoder.ff_dim"]


def test_a_folder_without_a_model_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    status, _, err = run("small", tmp_path)
    assert status == 1
    assert err.startswith(f"`{tmp_path}`")
    assert len(err.splitlines()) == 1


def test_a_named_spec_means_itself_beside_a_folder_of_its_name(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    status, out, _ = run("small", "small")
    assert (status, out) == (0, "small and small mean the same\n")


def test_bad_arguments_are_lines_and_not_tracebacks(run: Any, tmp_path: Path) -> None:
    status, _, err = run("small", "smal")
    assert (status, "did you mean `small`" in err) == (1, True)
    (tmp_path / "x.safetensors").write_text("no")
    status, _, err = run("small", tmp_path / "x.safetensors")
    assert status == 1
    assert len(err.splitlines()) == 1
    status, _, err = run("small", "base", "--set-b", "encoder.num_layer=2")
    assert "did you mean 'num_layers'?" in err


def test_two_ways_to_print_are_wrong_usage(run: Any) -> None:
    status, out, err = run("small", "base", "--json", "--markdown")
    assert (status, out) == (2, "")
    assert "--markdown" in err
