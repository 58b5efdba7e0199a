"""What speaking calls of a component exports to one graph, which serves every length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput
from kokoro_core.errors import ExportError
from kokoro_core.exporting.noise import GraphNoise
from kokoro_core.exporting.planning import LEAST, MOST, bounded, most_positions
from kokoro_core.exporting.stepping import FRAMES_PER_PHONEME
from kokoro_core.exporting.tracing import trace
from kokoro_core.testing.check import ROWS, Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.data.compare import assert_same, must_raise
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.probes.base import returned
from kokoro_core.testing.probes.decoders import DecoderProbe
from kokoro_core.testing.probes.parts import (
    DurationPredictorProbe,
    PostnetProbe,
    RegulatorProbe,
)
from kokoro_core.testing.subjects.subject import Subject

SPEAKING = tuple(slot for slot in ROWS if slot != "aligner")
"""Slots whose components speak; an aligner works in training alone."""

UTTERANCE = Cases(RaggedBatch, (RaggedBatch((18,), seed=3),))
"""What is traced; its lengths differ from all sizes of the model."""

OTHERS = tuple(RaggedBatch((length,), seed=length) for length in (2, 3, 7, 31))
"""The shortest that a graph is made for, and other lengths."""

FRAMES = "frames"
"""The input that says how many frames there are."""

STEPS = 2
"""Steps that an autoregressive decoder makes in a graph."""


class Spoken(nn.Module):
    """What speaking calls of a component, for one utterance without padding.

    Args:
        probe: Of the component.
    """

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.component = probe.component
        self._probe = replace(probe, noise=lambda _: GraphNoise())

    def forward(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        probe = self._probe.on(self.component)
        given = dict(tensors)
        if isinstance(probe, RegulatorProbe):
            probe = replace(probe, num_frames=bounded(given["durations"].sum(), MOST))
        frames = bounded(given.pop(FRAMES), _most(probe)) if FRAMES in given else None
        steps = probe.inputs(RaggedBatch((2,))).padding.keys() & given.keys()
        if frames is not None and _of_frames(probe):
            wide = steps - {"mel_specs"}  # of which a step is given one group
            given |= {name: _narrowed(given[name], frames) for name in wide}
        padding = {name: torch.zeros(given[name].shape[:2], dtype=torch.bool) for name in steps}
        return _spoken(probe, Inputs(given, padding), frames)


def _most(probe: Probe) -> int:
    return most_positions([probe.component]) or MOST


def _narrowed(x: Tensor, frames: int) -> Tensor:
    """Return the first frames of x (B, T, …), so many that a graph learns it from its data."""
    torch._check(frames < x.shape[1])  # type: ignore[no-untyped-call]
    return x.narrow(1, 0, frames)


def _of_frames(probe: Probe) -> bool:
    """Return whether a plan, which is made in the graph, says how many steps its inputs have."""
    by_frame = isinstance(probe, DecoderProbe) and probe.frame_by_frame
    return by_frame or isinstance(probe, PostnetProbe)


def _in_steps(probe: Probe) -> bool:
    return isinstance(probe.component, AutoregressiveDecoder)


def _spoken(probe: Probe, inputs: Inputs, frames: int | None) -> dict[str, Tensor]:
    if isinstance(probe, DurationPredictorProbe):
        hidden, mask = inputs.tensors["hidden"], inputs.padding["hidden"]
        return {"frames": probe.component.frames(hidden, mask, **probe.side_inputs(inputs))}
    if isinstance(probe, DecoderProbe):
        made = _stepped(probe, inputs, frames) if _in_steps(probe) else _inferred(probe, inputs)
        return {"mel": made}
    return dict(probe.run(inputs).tensors)


def _inferred(probe: DecoderProbe, inputs: Inputs) -> Tensor:
    memory, mask = inputs.tensors["memory"], inputs.padding["memory"]
    # in speaking there is no target, and None stands for its latents
    latents = {"latents": None} if "latents" in probe.params.needs else {}
    side = probe.side_inputs(inputs, mask) | latents
    made = probe.component.infer(memory, mask, **side)
    return returned(made, DecoderOutput, "`infer`").mel


def _stepped(probe: DecoderProbe, inputs: Inputs, frames: int | None) -> Tensor:
    """Return the mel of the first steps, with room for all frames."""
    memory, mask = inputs.tensors["memory"], inputs.padding["memory"]
    decoder, fed = probe.component, inputs.tensors["mel_specs"]
    if frames is None:  # as without a plan
        wanted = memory.shape[1] * FRAMES_PER_PHONEME
        frames = torch.sym_min(wanted, _most(probe))  # type: ignore[no-untyped-call]
    torch._check(frames >= STEPS * probe.group)  # type: ignore[no-untyped-call]
    room = (frames + probe.group - 1) // probe.group * probe.group
    state = decoder.init_state(memory, mask, room, **probe.side_inputs(inputs, mask))
    noise = (GraphNoise(),) if decoder.draws_in_step else ()
    return torch.cat([decoder.step(fed, state, *noise)[0] for _ in range(STEPS)], 1)


def says_of_export(subject: Subject, wanted: bool) -> str | None:
    """Return a reason to skip a component that says the other thing of `exportable`."""
    said = subject.capabilities.exportable is not False
    return None if said is wanted else f"`exportable={subject.capabilities.exportable}`"


@Check(
    "export-any-length",
    costly=True,
    since=2,
    cases=UTTERANCE,
    slots=SPEAKING,
    skip=lambda subject: says_of_export(subject, True),
    bug="piper1-gpl#101, piper1-gpl#148: a graph that speaks at the length of its example alone",
)
def exports_any_length(subject: Subject, batch: RaggedBatch) -> None:
    """What speaking calls exports, and the graph gives the same for any length from 2 on."""
    graph = Spoken(subject.probe)
    tensors, steps = _given(subject.probe, batch)
    length = Dim.DYNAMIC(min=LEAST, max=most_positions([subject.component]))
    axes = {name: {1: length} if name in steps else None for name in tensors}
    try:
        program = trace(graph, {"tensors": tensors}, {"tensors": axes})
    except ExportError as error:
        raise AssertionError(f"{error} (say `exportable=False` if that is how it is)") from error
    graph_of_all = program.module()
    for each in OTHERS:
        given, _ = _given(subject.probe, each)
        expected, got = (_seeded(one, given) for one in (graph, graph_of_all))
        for name, tensor in expected.items():
            promise = f"`{name}` must be the same when exported, at a length of {each.width}"
            assert_same(got[name], tensor, promise)


def _given(probe: Probe, batch: RaggedBatch) -> tuple[dict[str, Tensor], set[str]]:
    """Return what speaking gives a component, and which of it may be of any length."""
    narrow = _of_frames(probe)
    more = STEPS * probe.group if isinstance(probe, DecoderProbe) and _in_steps(probe) else 0
    inputs = probe.inputs(replace(batch, extra=more + 1) if narrow else batch)
    tensors = {name: each for name, each in inputs.tensors.items() if name != "target"}
    steps = inputs.padding.keys() & tensors.keys()
    if isinstance(probe, RegulatorProbe):
        tensors["durations"][:, 0] += 2  # as many frames as a graph is made for at least
    if isinstance(probe, DecoderProbe):
        fed = tensors.pop("mel_specs")
        steps -= {"mel_specs"}
        if _in_steps(probe):
            repeats = -(-probe.group // fed.shape[1])
            tensors["mel_specs"] = torch.cat([fed] * repeats, 1)[:, : probe.group]
    if narrow:
        tensors[FRAMES] = torch.tensor(batch.width + more)
    return tensors, set(steps)


@torch.no_grad()
def _seeded(graph: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Call a graph with random numbers that are the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made: dict[str, Any] = graph(tensors=tensors)
    return made


@Check(
    "export-any-length-is-refused",
    costly=True,
    since=2,
    cases=UTTERANCE,
    slots=SPEAKING,
    skip=lambda subject: says_of_export(subject, False),
    bug="pytorch#87550",
)
def export_any_length_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `exportable=False` has no graph that serves any length."""
    otherwise = "it exports for any length, so it must not declare `exportable=False`"
    with must_raise(Exception, otherwise=otherwise):
        exports_any_length.holds(subject, batch)
