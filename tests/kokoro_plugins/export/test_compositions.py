"""Models of any parts export whole, and say what generation says at other lengths."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kokoro_core import KokoroModel
from kokoro_core.contracts import ParallelDecoder
from kokoro_core.errors import ExportError
from kokoro_core.params.capabilities import Capabilities
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.rules.wiring import parts_of
from kokoro_core.testing import specs
from kokoro_plugins.export.export import export_model

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

ALL: Any = {
    "deadline": None,
    "database": None,
    "phases": (Phase.generate,),
    "suppress_health_check": list(HealthCheck),
}


def roomy(document: Any) -> Any:
    """Return a spec with positions enough for what random weights make of a few phonemes."""
    if isinstance(document, dict):
        return {key: 4000 if key == "max_len" else roomy(each) for key, each in document.items()}
    return document


def drawn_model(document: dict[str, Any]) -> KokoroModel:
    torch.manual_seed(0)
    model = KokoroModel.from_spec(load_spec(roomy(document))).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def exports(document: dict[str, Any]) -> None:
    """Export a model; the export itself compares it with generation at 5, 17 and 31 phonemes."""
    model = drawn_model(document)
    at_once = isinstance(model.acoustic.decoder, ParallelDecoder)
    name, to = ("model.pt2", "torch") if at_once else ("model.onnx", "onnx")
    with TemporaryDirectory() as folder:
        report = export_model(model, Path(folder) / name, to=to)  # type: ignore[arg-type]
        assert all(each.is_file() for each in report.files)
    assert [each.phonemes for each in report.differences] == [5, 17, 31]
    assert all(each.largest <= 1e-3 * max(1, each.scale) for each in report.differences)


@seed(1)
@settings(max_examples=1, **ALL)
@given(specs(largest=2))
def test_a_composition_exports_whole(document: dict[str, Any]) -> None:
    exports(document)


@pytest.mark.slow
@seed(7)
@settings(max_examples=5, **ALL)
@given(specs(largest=2))
def test_more_compositions_export_whole(document: dict[str, Any]) -> None:
    exports(document)


@seed(3)
@settings(max_examples=10, **ALL)
@given(specs(largest=2), st.randoms())
def test_a_composition_with_a_part_that_declares_otherwise_is_refused_by_its_name(
    document: dict[str, Any], random: Any
) -> None:
    model = drawn_model(document)
    speaking = {at: each for at, each in parts_of(model.spec).items() if each.slot != "aligner"}
    place = random.choice(sorted(speaking))
    said = Capabilities(exportable=False)
    alike = {at for at, each in speaking.items() if type(each) is type(speaking[place])}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(speaking[place]), "capabilities", property(lambda _: said))
        with pytest.raises(ExportError, match="declare `exportable=False`") as refused:
            export_model(model, Path(folder) / "model.onnx", to="onnx")
        assert not list(Path(folder).iterdir())
    assert str(refused.value).split("`")[1] in alike
