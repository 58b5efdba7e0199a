"""Every named spec of the box exports, and the page says as what."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.contracts import ParallelDecoder
from kokoro_core.slots import DecoderParams
from kokoro_core.spec.load import load_spec
from kokoro_core.testing.subjects.model_subject import small_model
from kokoro_plugins.export.export import export_model
from registry import installed_plugins

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

SPECS = sorted(installed_plugins().specs)
PAGE = Path(__file__).parents[3] / "docs" / "export.md"
ONE = "one graph", "yes", "with a vocoder"
STEPS = "three graphs", *["no: the decoder makes steps"] * 2


def row_of(name: str) -> str:
    """Return the row of the page's table."""
    decoder = load_spec(name).decoder
    assert isinstance(decoder, DecoderParams)
    return "| " + " | ".join([f"`{name}`", *(ONE if decoder.parallel else STEPS)]) + " |"


def unlike() -> list[str]:
    """Return the named specs whose small models are all different."""
    found: dict[str, str] = {}
    for name in SPECS:
        small = small_model(load_spec(name)).spec.model_copy(update={"name": "small"})
        found.setdefault(small.model_dump_json(), name)
    return list(found.values())


def test_the_page_has_a_row_for_each_named_spec():
    table = PAGE.read_text("utf-8").partition("\n## The named specs\n")[2].splitlines()
    rows = [each for each in table if each.startswith("| `")]
    assert rows == [row_of(each) for each in SPECS]


@pytest.mark.slow
@pytest.mark.parametrize("name", unlike())
def test_a_named_spec_exports_to_onnx_with_random_weights(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec(small_model(load_spec(name)).spec).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    report = export_model(model, tmp_path / "model.onnx", to="onnx")
    graphs = 1 if isinstance(model.acoustic.decoder, ParallelDecoder) else 3
    assert len(report.files) == len(list(tmp_path.iterdir())) == graphs
    assert ("one graph" if graphs == 1 else "three graphs") in row_of(name)
    assert [each.phonemes for each in report.differences] == [5, 17, 31]
    assert all(each.largest <= 1e-3 * max(1, each.scale) for each in report.differences)
