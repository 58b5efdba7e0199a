"""``describe SPEC`` says what a model costs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from kokoro_core.cli.app import main
from kokoro_core.cli.commands.describe import cost_of
from kokoro_core.cost.estimate import Workload, cost
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.views.resolve import spec_hash
from kokoro_core.testing.engine.targets import targets_named
from kokoro_core.testing.subjects.model_subject import ModelSubject
from registry import NamedSpec, installed_plugins

SMALLER = ("--rows", "2", "--phonemes", "10", "--frames", "60")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run_main(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["describe", *arguments])
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return run_main


def test_json_has_hash_size_and_cost_of_each_slot(run: Any) -> None:
    status, out, err = run("small", *SMALLER, "--json")
    found, spec = json.loads(out), load_spec("small")
    assert (status, err) == (0, "")
    assert found["hash"] == spec_hash(spec)
    assert found["size"]["parameters"] == 5_687_122
    assert found["size"]["bytes"] == 4 * 5_687_122
    assert found["cost"] == cost(spec, Workload(2, 10, 60))
    slots = found["cost"]["multiply_adds_per_frame"]["slots"]
    assert set(slots) == {"encoder", "duration_predictor", "regulator", "decoder"}


def test_the_table_has_the_same_figures(run: Any) -> None:
    _, out, _ = run("small", *SMALLER)
    expected = cost(load_spec("small"), Workload(2, 10, 60))
    assert f"{expected['multiply_adds_per_frame']['total']:,}" in out
    assert f"{expected['training_memory']['activations']['slots']['decoder']:,}" in out
    assert f"about {round(expected['training_memory']['total'] / 1e6):,} MB" in out
    assert "2 rows of 10 phonemes and 60 frames" in out


def test_more_rows_need_more_memory_and_not_more_products_a_frame() -> None:
    spec = load_spec("small")
    two, four = (cost_of(spec, (rows, 10, 60)) for rows in (2, 4))
    assert two["multiply_adds_per_frame"] == four["multiply_adds_per_frame"]
    saved = [each["training_memory"]["activations"]["total"] for each in (two, four)]
    assert saved[1] == pytest.approx(2 * saved[0], rel=0.02)


def test_a_batch_of_nothing_is_wrong_usage(run: Any) -> None:
    status, _, err = run("small", "--rows", "0")
    assert status == 2
    assert "--rows" in err


def test_a_cost_that_cannot_be_known_is_said_to_be(run: Any) -> None:
    spec = load_spec("small")
    needy = type("Needy", (type(spec.encoder),), {"needs": property(lambda _: {"speaker"})})
    encoder = cast("Any", needy).model_construct(**dict(spec.encoder))
    found = cost_of(spec.model_copy(update={"encoder": encoder}))
    assert found == {"unknown": "`small` needs the side inputs `speaker`, which have no values."}


def test_a_spec_of_a_component_s_name_is_said_and_reached(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = installed_plugins()
    repeat = NamedSpec("repeat", ours.specs["small"].file, "acme")
    plugins = replace(ours, specs={**ours.specs, "repeat": repeat})
    monkeypatch.setattr("kokoro_core.cli.session.installed_plugins", lambda: plugins)
    status, out, err = run("repeat")
    assert (status, out.splitlines()[0].split()[:2]) == (0, ["regulator", "transformer/repeat"])
    assert err == "note: `repeat` is a named spec too; `spec/repeat` means that\n"
    assert json.loads(run("spec/repeat", "--json")[1])["spec"]["name"] == "small"
    assert run("repeat", "--slot", "regulator")[2] == ""

    monkeypatch.chdir(tmp_path)
    (tmp_path / "gaussian").write_bytes(ours.specs["small"].file.read_bytes())
    status, _, err = run("gaussian")
    assert (status, err) == (
        0,
        f"note: `gaussian` is a file too; `{tmp_path}/gaussian` means that\n",
    )


def test_a_file_in_a_folder_called_spec_is_that_file(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = installed_plugins().specs["small"].file.read_text().replace("name: small", "name: own")
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "own.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert json.loads(run("spec/own.yaml", "--json")[1])["spec"]["name"] == "own"
    [*_, model] = targets_named("spec/own.yaml", installed_plugins())
    assert isinstance(model, ModelSubject)


def test_parts_in_an_ordered_map_have_their_settings_in_the_table(run: Any) -> None:
    status, out, _ = run("fastspeech2-small", *SMALLER)
    assert status == 0
    assert out.count("variance") >= 2
    assert out.count("channels") >= 3  # of pitch, energy and durations
