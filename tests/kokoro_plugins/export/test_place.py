"""Where an export cannot be written is told before anything is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kokoro_core import KokoroModel
from kokoro_plugins.export import export, place
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.place import refuse_place


@pytest.mark.parametrize(("name", "to"), [("x.pt2", "torch"), ("x.onnx", "onnx"), ("x", "sherpa")])
def test_a_place_that_takes_a_file_is_left_as_it_was(tmp_path: Path, name: str, to: str) -> None:
    refuse_place(tmp_path / name, to)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "to", "said"),
    [
        ("x.onnx", "torch", r"`.*x.onnx` must end in `.pt2`, as files of `torch.export` do."),
        ("x.pt2", "onnx", r"`.*x.pt2` must end in `.onnx`."),
        ("x.onnx", "tensorrt", "`to` must be one of torch, onnx and sherpa, not 'tensorrt'."),
        ("there.onnx", "onnx", "`.*there.onnx` is a folder, and an export for onnx is a file"),
        ("no/x.onnx", "onnx", "`.*x.onnx` cannot be written: there is no folder `.*no`; make it."),
        ("no/x", "sherpa", "`.*x` cannot be written: there is no folder `.*no`; make it."),
    ],
)
def test_a_place_that_takes_none_is_refused(tmp_path: Path, name: str, to: str, said: str) -> None:
    (tmp_path / "there.onnx").mkdir()
    with pytest.raises(ValueError, match=said):
        refuse_place(tmp_path / name, to)


def test_a_folder_without_permission_is_named_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: Any) -> None:
        raise PermissionError(13, "Permission denied", ".tmp-xyz")

    monkeypatch.setattr(place, "TemporaryFile", refused)
    with pytest.raises(ValueError, match=r"takes no files \(Permission denied\)\.$"):
        refuse_place(tmp_path / "x.onnx", "onnx")


def test_nothing_is_traced_before_the_place_is_known(
    parallel: KokoroModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "graph_inputs", lambda *_: pytest.fail("it has gone on"))
    with pytest.raises(ValueError, match="there is no folder"):
        export_model(parallel, tmp_path / "no" / "x.pt2")
