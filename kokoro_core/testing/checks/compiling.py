"""A component compiles and exports to one graph that serves every length."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch

from kokoro_core.testing.check import Check, only_if, only_if_not
from kokoro_core.testing.checks import exporting
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.data.compare import assert_same_outputs, must_raise
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.data.noise_tape import NoiseTape
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.probes.parts import RegulatorProbe
from kokoro_core.testing.subjects.subject import Subject

TWO_LENGTHS = Cases(RaggedBatch, (RaggedBatch((5, 9, 4), 2, 3),))
"""Its lengths differ from all sizes of the model, which the compiler would unify with them."""

OTHER = RaggedBatch((7, 3, 12), 2, 4)


@Check(
    "compile",
    costly=True,
    cases=TWO_LENGTHS,
    skip=only_if("compilable"),
    bug="pytorch#178677, pytorch#39067: code that no graph can hold",
)
def compiled(subject: Subject, batch: RaggedBatch) -> None:
    """`torch.compile` makes one graph that serves another length and gives the same."""
    torch._dynamo.reset()
    try:
        _assert_compiles(subject, batch)
    finally:
        torch._dynamo.reset()


def _assert_compiles(subject: Subject, batch: RaggedBatch) -> None:
    graphs: list[Any] = []

    def count(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    probe = with_room(subject.probe)
    component = _compiled(probe, count)
    for each in (batch, OTHER):
        inputs, draws = probe.inputs(each), NoiseTape()
        expected = replace(probe, noise=draws.recording).run(inputs)
        with torch.no_grad():
            got = replace(probe.on(component), noise=draws.replaying()).run(inputs)
        assert_same_outputs(got, expected, "must be the same when compiled")
        made = len(graphs)
        if each is batch:
            first = made
    assert made == first, "another length must not need another graph"


def with_room(probe: Probe) -> Probe:
    """Return a probe without synchronisation: the width of a plan is given."""
    return replace(probe, num_frames=50) if isinstance(probe, RegulatorProbe) else probe


def _compiled(probe: Probe, backend: Any) -> Any:
    """Return the component with each of its entry points compiled."""
    component = copy.copy(probe.component)
    for name in component.entry_points:
        method = getattr(probe.component, name)
        whole = torch.compile(method, backend=backend, fullgraph=True, dynamic=True)
        setattr(component, name, whole)
    return component


@Check(
    "compile-is-refused",
    costly=True,
    cases=TWO_LENGTHS,
    skip=only_if_not("compilable", "it compiles"),
    bug="pytorch#178677",
)
def compile_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `compilable=False` does not compile to one graph."""
    with must_raise(Exception, otherwise="it compiles, so it must not declare `compilable=False`"):
        compiled.holds(subject, batch)


class _Exported(torch.nn.Module):
    """A component's call with tensors alone, as `torch.export` wants it."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.component = probe.component
        self.call = probe

    def forward(
        self, tensors: dict[str, Any], padding: dict[str, Any], drawn: list[list[Any]]
    ) -> dict[str, Any]:
        draws = NoiseTape()
        draws.drawn = drawn
        probe = replace(self.call.on(self.component), noise=draws.replaying())
        outputs: Outputs = probe.run(Inputs(tensors, padding))
        return dict(outputs.tensors)


def _unless_exportable_is(subject: Subject, said: bool) -> str | None:
    exportable = subject.capabilities.exportable
    if exportable is said:
        return None
    return "says nothing of `exportable`" if exportable is None else f"`exportable={exportable}`"


@Check(
    "export",
    costly=True,
    cases=TWO_LENGTHS,
    skip=lambda subject: _unless_exportable_is(subject, True),
    bug="pytorch#87550, pytorch#156873: repeat_interleave cannot be exported",
)
def exported(subject: Subject, batch: RaggedBatch) -> None:
    """`torch.export` takes it, and the program gives the same."""
    probe = with_room(subject.probe)
    arguments, _ = _arguments(probe, batch)
    program = torch.export.export(_Exported(probe), arguments, strict=False)
    # other numbers of the same structure: the program may contain those it was exported with
    arguments, expected = _arguments(probe, replace(batch, seed=batch.seed + 1))
    got = program.module()(*arguments)
    result = Outputs({name: got[name] for name in expected.tensors}, expected.padding_mask)
    assert_same_outputs(
        result, Outputs(expected.tensors, expected.padding_mask), "must be the same when exported"
    )


def _arguments(probe: Probe, batch: RaggedBatch) -> tuple[tuple[Any, ...], Outputs]:
    """Return the arguments of an exported program, and its expected outputs."""
    inputs, draws = probe.inputs(batch), NoiseTape()
    expected = replace(probe, noise=draws.recording).run(inputs)
    drawn = [[each.detach() for each in some] for some in draws.drawn]
    return (dict(inputs.tensors), dict(inputs.padding), drawn), expected


@Check(
    "export-is-refused",
    costly=True,
    cases=TWO_LENGTHS,
    skip=lambda subject: _unless_exportable_is(subject, False),
    bug="pytorch#87550",
)
def export_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `exportable=False` cannot be exported."""
    otherwise = "it can be exported, so it must not declare `exportable=False`"
    with must_raise(Exception, otherwise=otherwise):
        exported.holds(subject, batch)
        if subject.slot in exporting.SPEAKING:  # a graph of one length alone is none
            exporting.exports_any_length.holds(subject, exporting.UTTERANCE.corners[0])
