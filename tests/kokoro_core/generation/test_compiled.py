"""A step that `torch.compile` has made: it says the same, and no length needs another graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kokoro_core import KokoroModel
from kokoro_core.kernels.packed_linear import PackedLinear

SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 4,
    "hidden_dim": 16,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "gaussian"},
    "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
}
INDICES = torch.tensor([[3, 4, 5, 6]])


class Graphs:
    """Keeps the graphs that were made; each runs as it is."""

    def __init__(self) -> None:
        self.all: list[torch.fx.GraphModule] = []

    def __call__(self, graph: torch.fx.GraphModule, _: Any) -> Any:
        self.all.append(graph)
        return graph.forward

    def targets(self) -> set[str]:
        return {str(node.target) for graph in self.all for node in graph.graph.nodes}


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def speak(model: KokoroModel, frames: int) -> Tensor:
    durations = torch.full((1, 4), frames // 4)
    return model.generate(INDICES, durations=durations, stop_threshold=1.0).mel


@pytest.mark.slow
def test_a_compiled_step_says_the_same_and_longer_speech_needs_no_other_graph() -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec(SPEC).eval().double()
    decoder: Any = model.acoustic.decoder
    graphs = Graphs()
    expected = speak(model, 400)
    decoder.step = torch.compile(decoder.step, backend=graphs, fullgraph=True, dynamic=True)
    assert speak(model, 200).shape[1] == 200
    made = len(graphs.all)
    assert 1 <= made <= 4
    found = speak(model, 400)
    assert len(graphs.all) == made
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_a_compiled_product_is_one_kernel_with_which_nothing_is_joined(rows: int) -> None:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(32, 24), torch.randn(rows, 1, 32)
    graphs = Graphs()
    with torch.no_grad():
        packed = torch.compile(PackedLinear([layer]), backend=graphs, fullgraph=True)
        found = packed(x)
        expected = F.linear(x.double(), layer.weight.double(), layer.bias.double())
    assert {name for name in graphs.targets() if "linear" in name} == {
        "kokoro.packed_linear.default"
    }
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-6)
