"""A checkpoint, and what it was exported to, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kokoro_core import KokoroModel
from kokoro_core.speaking.loading import load_to_speak
from kokoro_plugins.export import to_onnx, to_sherpa
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.report import ExportReport
from tests.kokoro_core.exporting.small import small_parallel
from tests.kokoro_plugins.export.heart import SENTENCES


@pytest.fixture(scope="session")
def parallel() -> KokoroModel:
    return small_parallel(frontend={"type": "symbols", "symbols": [f"s{n}" for n in range(63)]})


@pytest.fixture(scope="session")
def checkpoint(parallel: KokoroModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "model.safetensors"
    parallel.save(path)
    return path


@pytest.fixture(scope="session")
def torch_report(parallel: KokoroModel, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    out = tmp_path_factory.mktemp("torch") / "model.pt2"
    return export_model(parallel, out, texts=["s3 s4 s5 s6"])


@pytest.fixture(scope="session")
def heart() -> KokoroModel:
    """Return the voice of the box."""
    pytest.importorskip("hibari", reason="the frontend needs the extra `voices`")
    return load_to_speak(Path("heart"))


@pytest.fixture(scope="session")
def heart_files(heart: KokoroModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the voice as `heart.onnx` and as the folder `sherpa`.

    It is traced and converted once, which takes longest.
    """
    pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
    pytest.importorskip("sherpa_onnx", reason="needs the extra `sherpa`")
    folder = tmp_path_factory.mktemp("heart")
    words = " ".join(SENTENCES)
    made: dict[str, Any] = {}

    def once(name: str) -> Callable[..., Any]:
        honest = getattr(to_onnx, name)
        return lambda *given: made[name] if name in made else made.setdefault(name, honest(*given))

    with pytest.MonkeyPatch.context() as patch:
        for name in ("trace_parallel", "converted"):
            for module in (to_onnx, to_sherpa):
                patch.setattr(module, name, once(name))
        export_model(heart, folder / "heart.onnx", to="onnx", samples=True)
        export_model(heart, folder / "sherpa", to="sherpa", words=words, texts=SENTENCES[:1])
    return folder
