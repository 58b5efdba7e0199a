"""The command ``checkpoint import``: what it writes and prints, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.cli.commands.checkpoint.importing import folded
from tests.kokoro_core.checkpoints.importing_toy import SYMBOLS, plugins, publish, toy_model


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("kokoro_core.cli.session.installed_plugins", plugins)

    def run_main(*arguments: str | Path) -> tuple[int, str, str]:
        status = 0
        try:
            main(["checkpoint", "import", *map(str, arguments)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run_main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    publish(Path("toy"), toy_model(), seed=1)
    return Path("toy")


TABLE = Path(__file__).with_name("importing_table.txt").read_text(encoding="utf-8")


def test_the_table_has_every_tensor_and_the_file_is_one_of_ours(run: Any, folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps(SYMBOLS), encoding="utf-8")
    status, out, err = run("toy", folder, "out.safetensors")
    table, _, last = out.strip().rpartition("\n")
    assert (status, err) == (0, "")
    assert [line.rstrip() for line in table.splitlines()] == TABLE.splitlines()
    assert last.startswith("out.safetensors: 53 tensors, content hash ")
    loaded, model = KokoroModel.load("out.safetensors"), toy_model()
    for name, tensor in model.acoustic.state_dict().items():
        assert (loaded.acoustic.state_dict()[name] == tensor).all()
    assert loaded.spec.name == "toy"


def test_json_has_every_tensor_by_its_whole_name(run: Any, folder: Path) -> None:
    status, out, _ = run("toy", folder, "out.safetensors", "--json", "--set", "name=mine")
    found = json.loads(out)
    assert status == 0
    assert (found["path"], found["spec"]) == ("out.safetensors", "mine")
    assert list(found["tensors"]) == list(toy_model().acoustic.state_dict())
    assert found["tensors"]["decoder.frame_in.weight"] == {
        "made_of": ["decoder.prenet"],
        "dtype": "float32",
        "shape": [16, 80],
        "how": "transpose",
    }
    assert found["left"] == {}
    assert found["settings_passed_over"] == {"seed": "it is of the training"}
    assert found["symbols"] == "`toy` has no `vocab.json`, so the checkpoint has no frontend"


def test_layers_are_folded_into_a_line_only_where_they_are_alike(run: Any, folder: Path) -> None:
    rows = [
        ("a.0.w", "b.0.w", "3", "copy"),
        ("a.1.w", "b.1.w", "3", "copy"),
        ("a.2.w", "b.2.w", "4", "copy"),
        ("a.3.w", "b.3.w", "3", "transpose"),
    ]
    assert list(folded(rows)) == [("a.*.w (2)", "b.*.w", "3", "copy"), *rows[2:]]
    assert "encoder.layers.0.attention_norm.bias" in run("toy", folder, "o.safetensors")[1]


def test_nothing_is_replaced_without_being_told(run: Any, folder: Path) -> None:
    out = Path("out.safetensors")
    out.write_text("mine")
    status, _, err = run("toy", folder, out)
    assert (status, err) == (1, "`out.safetensors` is there already; --force replaces it.\n")
    assert out.read_text() == "mine"
    assert run("toy", folder, out, "--force")[0] == 0
    assert KokoroModel.load(out).spec.name == "toy"


def test_what_cannot_be_imported_writes_nothing(run: Any, folder: Path) -> None:
    publish(folder, toy_model(), norm="post")
    status, out, err = run("toy", folder, "out.safetensors")
    assert (status, out) == (1, "")
    assert "`norm` can only be 'pre', since the toy has no other, not 'post'." in err
    assert run("tox", folder, "out.safetensors")[2].startswith("`tox` is not a registered importer")
    assert "has a suffix that no checkpointer handles" in run("toy", folder, "out.bin")[2]
    assert sorted(Path().iterdir()) == [folder]
