"""Exporting to ONNX: the graph speaks in onnxruntime as its checkpoint does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from kokoro_core import KokoroModel
from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInputs, graph_inputs
from kokoro_core.exporting.parallel import ParallelGraph
from kokoro_core.exporting.tracing import trace
from kokoro_core.exporting.trials import Trial
from kokoro_core.nn.recurrent import BidirectionalLstm
from kokoro_plugins.export import to_onnx
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.onnx_files import OPSET, Names, Session, converted
from kokoro_plugins.export.report import ExportReport
from kokoro_plugins.export.to_onnx import compared, in_precision
from tests.kokoro_core.exporting.small import small_model

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


@pytest.fixture
def session(tmp_path: Path) -> Callable[[Any], Session]:
    """Return what runs a graph."""

    def session_(model: Any) -> Session:
        onnx.save(model, tmp_path / "model.onnx")
        return Session(tmp_path / "model.onnx")

    return session_


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
def test_the_file_speaks_in_onnxruntime_at_any_length(parallel, report, num, speed):
    made = spoken(Session(report.files[0]), phonemes(num), speed)
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


def test_float16_stays_near(parallel, graph, session):
    made = spoken(session(in_precision(graph, "float16")), phonemes(19))
    expected = parallel.generate(phonemes(19), durations=made["durations"])
    torch.testing.assert_close(made["mel"], log_mel(parallel, expected.mel), rtol=0.01, atol=0.02)


def test_int8_makes_matrix_products_of_int8_weights(parallel, graph, session):
    small = in_precision(graph, "int8")
    assert any(node.op_type == "MatMulInteger" for node in small.graph.node)
    made = spoken(session(small), phonemes(19))
    expected = parallel.generate(phonemes(19), durations=made["durations"])
    close = (made["mel"] - log_mel(parallel, expected.mel)).abs().mean()
    assert close < 0.25 * log_mel(parallel, expected.mel).std()


class Searches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.searchsorted(x[0, :, 0].contiguous(), x).float()


class Reads(nn.Module):
    """Two recurrent layers, which are exported as whole operations."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = BidirectionalLstm(input_dim=3, width=4, num_layers=2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.lstm(x, torch.zeros(x.shape[:2], dtype=torch.bool))
        return made


class Scatters(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        places = torch.zeros_like(x, dtype=torch.int64)
        return torch.zeros_like(x).scatter_add(1, places, x) * 2


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


def test_random_numbers_of_a_graph_come_out_beside_its_outputs(session):
    runs, x = session(of(Draws())), torch.zeros(1, 7, 3)
    made, [drawn] = runs.run({"x": x})
    torch.testing.assert_close(made["y"], 2 * drawn)
    assert drawn.shape == x.shape
    assert not torch.equal(runs.run({"x": x})[1][0], drawn)


def test_recurrent_layers_are_exported_for_any_length(session):
    layers, x = Reads().eval(), torch.randn(1, 5, 3)
    made, _ = session(of(layers)).run({"x": x})
    torch.testing.assert_close(made["y"], layers(x).detach(), rtol=1e-5, atol=1e-5)


def test_what_onnxruntime_has_not_in_float16_stays_in_float32(session):
    small, x = session(in_precision(of(Scatters()), "float16")), torch.rand(1, 7, 3)
    made, _ = small.run({"x": x})
    torch.testing.assert_close(made["y"], Scatters()(x), rtol=1e-3, atol=1e-3)


def test_what_onnxruntime_cannot_run_is_an_error_of_the_export(session):
    node = onnx.helper.make_node("NotThere", ["x"], ["y"])
    places = [onnx.helper.make_tensor_value_info(each, 1, [1]) for each in "xy"]
    graph = onnx.helper.make_graph([node], "g", places[:1], places[1:])
    with pytest.raises(ExportError, match=r"onnxruntime cannot run what was made: .*NotThere"):
        session(onnx.helper.make_model(graph))


class Eager:
    """Stands for a graph: the model runs as a graph does, and what it draws is told."""

    def __init__(self, model: KokoroModel, more: int = 0) -> None:
        self.model, self.inputs, self.more = model, graph_inputs(model, {}, 11), more

    def run(self, given: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
        drawn: list[Tensor] = []

        def record(*size: int, dtype: Any, device: Any) -> Tensor:
            drawn.append(torch.empty(size, dtype=dtype, device=device).normal_())
            return drawn[-1]

        with pytest.MonkeyPatch.context() as patch, torch.no_grad():
            patch.setattr(torch, "randn", record)
            options = {name: each for name, each in given.items() if name not in BASE}
            base = given["phoneme_indices"], given["speed"]
            made = ParallelGraph(self.model, self.inputs)(*base, options)
        return made, [*drawn, *(torch.zeros(1, 1, 1) for _ in range(self.more))]


BASE = ("phoneme_indices", "speed")


def trial(inputs: GraphInputs) -> Trial:
    return Trial("x", phonemes(9), 1.0, {each.name: each.example for each in inputs.variable})


@pytest.fixture(scope="module")
def flow() -> KokoroModel:
    small = {"hidden_dim": 16, "encoder.num_layers": 1, "decoder.num_layers": 1, "frontend": None}
    return small_model("flow-small", **small)


def test_the_numbers_of_a_drawing_duration_predictor_are_not_the_decoders(flow: KokoroModel):
    eager: Any = Eager(flow)
    found = compared(eager, flow, trial(eager.inputs), eager.inputs, None)
    assert (found.phonemes, found.durations_off) == (9, 0)
    assert found.largest < 1e-4 * found.scale


def test_a_graph_that_draws_more_than_its_checkpoint_is_refused(flow: KokoroModel):
    eager: Any = Eager(flow, more=1)
    with pytest.raises(ExportError, match=r"draws numbers \d times for x, and its checkpoint \d"):
        compared(eager, flow, trial(eager.inputs), eager.inputs, None)


def test_a_graph_that_draws_other_numbers_is_refused(flow: KokoroModel):
    eager: Any = Eager(flow)
    honest = eager.run
    eager.run = lambda given: (honest(given)[0], honest(given)[1][:-1])
    with pytest.raises(ExportError, match="draws other numbers than its checkpoint: Noise of"):
        compared(eager, flow, trial(eager.inputs), eager.inputs, None)


def test_the_file_that_was_written_is_what_is_compared(parallel, graph, tmp_path, monkeypatch):
    def spoilt(model: Any, place: Path) -> None:
        other = onnx.ModelProto()
        other.CopyFrom(model)
        floats = [each for each in other.graph.initializer if each.data_type == 1]
        largest = max(floats, key=lambda each: len(each.raw_data))
        largest.raw_data = bytes(len(largest.raw_data))
        place.write_bytes(other.SerializeToString())

    monkeypatch.setattr(to_onnx, "trace_parallel", lambda *_: None)
    monkeypatch.setattr(to_onnx, "names_of", lambda _: None)
    monkeypatch.setattr(to_onnx, "converted", lambda *_: graph)
    monkeypatch.setattr(onnx, "save", spoilt)
    with pytest.raises(ExportError, match=r"from its checkpoint|something else than"):
        export_model(parallel, tmp_path / "model.onnx", to="onnx")
    assert not list(tmp_path.iterdir())


def test_the_ending_of_the_file_is_that_of_onnx(parallel: KokoroModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`.*model.bin` must end in `.onnx`"):
        export_model(parallel, tmp_path / "model.bin", to="onnx")
