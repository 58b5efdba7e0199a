"""A checkpoint, and what it was exported to, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokoro_core import KokoroModel
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.report import ExportReport
from tests.kokoro_core.exporting.small import small_parallel


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
