"""Exporting to ONNX: the graph speaks in onnxruntime as its checkpoint does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from kokoro_core import KokoroModel
from kokoro_core.errors import ExportError
from kokoro_core.exporting.tracing import trace
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.onnx_files import OPSET, Names, Session, converted
from kokoro_plugins.export.report import ExportReport
from kokoro_plugins.export.to_onnx import in_precision

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

LENGTH = Dim("length", min=2, max=99)


@pytest.fixture(scope="module")
def report(parallel: KokoroModel, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    out = tmp_path_factory.mktemp("onnx") / "model.onnx"
    return export_model(parallel, out, to="onnx", texts=["s3 s4 s5 s6"])


@pytest.fixture(scope="module")
def graph(report: ExportReport) -> Any:
    return onnx.load(report.files[0])


def spoken(session: Session, indices: Tensor, speed: float = 1.0) -> dict[str, Tensor]:
    made, _ = session.run({"phoneme_indices": indices, "speed": torch.tensor([speed])})
    return made


def phonemes(num: int) -> Tensor:
    return torch.randint(1, 63, (1, num), generator=torch.Generator().manual_seed(num))


def log_mel(model: KokoroModel, mel: Tensor) -> Tensor:
    audio = model.spec.audio
    assert audio is not None
    return mel * audio.std + audio.mean


@pytest.mark.parametrize(("num", "speed"), [(2, 1.0), (8, 0.7), (37, 1.3)])
def test_the_file_speaks_in_onnxruntime_at_any_length(parallel, graph, num, speed):
    made = spoken(Session(graph), phonemes(num), speed)
    expected = parallel.generate(phonemes(num), speed=speed)
    assert torch.equal(made["durations"], expected.durations)
    torch.testing.assert_close(made["mel"], log_mel(parallel, expected.mel), rtol=1e-4, atol=1e-4)


def test_the_file_says_what_it_is(graph, report):
    assert {each.domain: each.version for each in graph.opset_import} == {"": OPSET}
    assert [each.name for each in graph.graph.input] == ["phoneme_indices", "speed"]
    assert [each.name for each in graph.graph.output] == ["mel", "durations"]
    assert b"stack_trace" not in report.files[0].read_bytes()
    [entry] = graph.metadata_props
    assert (entry.key, json.loads(entry.value)["symbols"][7]) == ("kokoro", "s7")
    assert report.facts["opset"] == OPSET
    assert [each.phonemes for each in report.differences] == [5, 17, 31, 4]
    assert report.largest < 1e-4


def test_float16_stays_near(parallel, graph):
    made = spoken(Session(in_precision(graph, "float16")), phonemes(19))
    expected = parallel.generate(phonemes(19), durations=made["durations"])
    torch.testing.assert_close(made["mel"], log_mel(parallel, expected.mel), rtol=0.01, atol=0.02)


def test_int8_makes_matrix_products_of_int8_weights(parallel, graph):
    small = in_precision(graph, "int8")
    assert any(node.op_type == "MatMulInteger" for node in small.graph.node)
    made = spoken(Session(small), phonemes(19))
    expected = parallel.generate(phonemes(19), durations=made["durations"])
    close = (made["mel"] - log_mel(parallel, expected.mel)).abs().mean()
    assert close < 0.25 * log_mel(parallel, expected.mel).std()


class Searches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.searchsorted(x[0, :, 0].contiguous(), x).float()


class Draws(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 2 * torch.randn(1, x.shape[1], 3)


class Holder(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.acoustic = nn.ModuleDict({"encoder": layer})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.acoustic["encoder"](x)}


def of(layer: nn.Module) -> Any:
    holder = Holder(layer)
    program = trace(holder, {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})
    return converted(program, Names(["x"], ["y"]), {}, holder)


def test_an_operation_that_onnx_has_not_is_named_with_its_part_and_line():
    where = r"because of `return torch.searchsorted\(.*` \(.*test_to_onnx.py:\d+\)"
    said = rf"`encoder` \(`Searches`\) cannot be exported {where}: .*aten.searchsorted"
    with pytest.raises(ExportError, match=said):
        of(Searches())


def test_random_numbers_of_a_graph_come_out_beside_its_outputs():
    session, x = Session(of(Draws())), torch.zeros(1, 7, 3)
    made, [drawn] = session.run({"x": x})
    torch.testing.assert_close(made["y"], 2 * drawn)
    assert drawn.shape == x.shape
    assert not torch.equal(session.run({"x": x})[1][0], drawn)


def test_the_ending_of_the_file_is_that_of_onnx(parallel: KokoroModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`.*model.bin` must end in `.onnx`"):
        export_model(parallel, tmp_path / "model.bin", to="onnx")
