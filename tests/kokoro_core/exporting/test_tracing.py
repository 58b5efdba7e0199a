"""Tracing: layers that stay whole, and words for what cannot be traced."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from kokoro_core.errors import ExportError
from kokoro_core.exporting.tracing import trace

LENGTH = Dim("length", min=2, max=500)


class Holder(nn.Module):
    """Calls a layer, as a model calls a part."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.acoustic = nn.ModuleDict({"encoder": layer})

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.acoustic["encoder"](x)
        return result


class Recurrent(nn.Module):
    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        made, state = self.layer(x)
        return (made, *state) if isinstance(state, tuple) else (made, state)


class Counts(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1])
        return x * len(steps)


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no such thing\nand more")


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 3 else x + 1


class FixesLength(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(11.0).unsqueeze(1)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_recurrent_layer_is_one_operation_for_sequences_of_any_length(kind, both_ways):
    before = dict(torch.ops.aten.lstm.input.py_kernels)
    layer = Recurrent(kind(3, 4, 2, batch_first=True, bidirectional=both_ways)).eval()
    program = trace(layer, {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})
    other = torch.randn(1, 29, 3)
    for got, expected in zip(program.module()(x=other), layer(other), strict=True):
        torch.testing.assert_close(got, expected)
    names = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert sum("lstm" in name or "gru" in name for name in names) == 1
    assert torch.ops.aten.lstm.input.py_kernels == before


def test_what_cannot_be_traced_is_named_with_its_line():
    where = r"because of `return x \* len\(steps\)` \(.*test_tracing.py:\d+\)"
    said = rf"`encoder` \(`Counts`\) cannot be exported {where}: it works for one length"
    with pytest.raises(ExportError, match=said):
        trace(Holder(Counts()), {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})


def test_an_error_of_a_part_is_told_in_one_line():
    with pytest.raises(ExportError, match=r"RuntimeError: no such thing$"):
        trace(Holder(Raises()), {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})


def test_a_length_that_is_fixed_is_told():
    with pytest.raises(ExportError, match=r"`encoder` .*arange\(11.0\).*`Eq\(s\d+, 11\)`"):
        trace(Holder(FixesLength()), {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})


def test_nothing_is_printed_and_no_warning_reaches_the_caller(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ExportError):
            trace(Branches(), {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})
        with pytest.raises(ExportError):
            trace(Holder(Counts()), {"x": torch.randn(1, 11, 3)}, {"x": {1: LENGTH}})
    assert capfd.readouterr() == ("", "")
