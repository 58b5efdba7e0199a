"""A composed model as a graph: parts, what flows between them, and its shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.component_failure import attribute_errors_to
from kokoro_core.slots import PORTS
from kokoro_core.spec.problems.problem import dotted
from kokoro_core.spec.rules.dimensions import component_sizes, solve_dimensions
from kokoro_core.spec.rules.side_inputs import extras_of
from kokoro_core.spec.rules.wiring import connections, parts_of
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in
from registry import ComponentRegistry

_WITH_LOSSES = ("decoder", "duration_predictor")

Kind = Literal["input", "part", "output", "loss"]


@dataclass(frozen=True)
class Node:
    """A box: a part of the model, or what goes in or comes out.

    Attributes:
        name: Unique; of a part its slot.
        kind: What it is.
        lines: What is written in it: the title first, then the component and those inside it.
    """

    name: str
    kind: Kind
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Edge:
    """A flow from one node to another.

    Attributes:
        source: The name of the node that gives.
        target: The name of the node that takes.
        label: What flows, with its shape.
        only_training: Whether it flows in training only.
    """

    source: str
    target: str
    label: str
    only_training: bool = False


@dataclass
class Graph:
    """Nodes and edges in the order of the data flow."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def model_graph(spec: ModelSpec, registry: ComponentRegistry) -> Graph:
    """Return the graph of a model: B rows, N phonemes, T frames, widths as numbers.

    Raises:
        SpecError: The parts of the spec do not fit together.
    """
    spec = solve_dimensions(spec)
    graph = Graph()
    graph.nodes.append(Node("phoneme_indices", "input", ("phoneme_indices", _symbols(spec))))
    graph.nodes += _side_inputs(spec)
    if spec.regulator is not None:
        graph.nodes.append(Node("durations", "input", ("durations", "given in training")))
    graph.nodes.append(Node("mel_specs", "input", ("mel_specs", "teacher frames in training")))
    for slot, component in parts_of(spec).items():
        graph.nodes.append(Node(slot, "part", (slot, *_inside(component, registry))))
    graph.nodes.append(Node("mel", "output", ("mel",)))
    if not spec.decoder.parallel:
        graph.nodes.append(Node("stop", "output", ("stop", "ends an utterance")))
    graph.nodes.append(Node("losses", "loss", _losses(spec)))
    graph.edges = _joined(_edges(spec))
    return graph


def _symbols(spec: ModelSpec) -> str:
    return f"{spec.vocab_size} symbols, padding {spec.pad_id}"


def _side_inputs(spec: ModelSpec) -> list[Node]:
    names = sorted(extras_of({slot: part.needs for slot, part in parts_of(spec).items()}))
    return [Node(f"side_{name}", "input", (name, "side input")) for name in names]


def _inside(component: ComponentParams, registry: ComponentRegistry) -> Iterator[str]:
    """Yield the name of a component and of those nested in it."""
    yield _name(component, registry)
    for path, each in components_in(component):
        yield f"{dotted(path)}: {_name(each, registry)}"


def _name(component: ComponentParams, registry: ComponentRegistry) -> str:
    found = registry.registration(type(component))
    return component.type if found is None else found.qualified_name


def _losses(spec: ModelSpec) -> tuple[str, ...]:
    """Return the terms that this model has, each with its weight."""
    absent = {"stop_positive_weight"}
    absent |= {"stop"} if spec.decoder.parallel else set()
    absent |= {"mel_l1", "mel_mse"} if _own_losses(spec, "decoder") else set()
    if spec.duration_predictor is None or _own_losses(spec, "duration_predictor"):
        absent |= {"duration"}
    weights = {name: each for name, each in spec.loss if name not in absent and each}
    own = [name for slot in _WITH_LOSSES for name in _own_losses(spec, slot)]
    return "losses", *(f"{name} × {each:g}" for name, each in weights.items()), *own


def _own_losses(spec: ModelSpec, slot: str) -> tuple[str, ...]:
    """Return the losses that a part makes itself; they replace the framework's for its output."""
    part = getattr(spec, slot)
    if part is None:
        return ()
    with attribute_errors_to(part, (slot,), "own_losses"):
        return tuple(map(str, part.own_losses))


def _edges(spec: ModelSpec) -> Iterator[Edge]:
    yield Edge("phoneme_indices", "encoder", "indices (B, N)")
    for (giver, port), (taker, _) in connections(spec):
        yield Edge(giver, taker, _flow(spec, port, taker))
        if taker == "regulator":
            yield Edge("duration_predictor", "regulator", "frames (B, N)")
            yield Edge("durations", "regulator", "durations (B, N)", only_training=True)
        elif taker == "decoder":
            mel_specs = f"mel_specs (B, T, {spec.mel_dim})"
            yield Edge("mel_specs", "decoder", mel_specs, only_training=True)
    yield from _needs(spec)
    yield from _mel_edges(spec)
    if not spec.decoder.parallel:
        yield Edge("decoder", "stop", "stop_logits (B, T)")
        yield Edge("decoder", "losses", "stop_logits (B, T)", only_training=True)
    if spec.duration_predictor is not None:
        label = ", ".join(_own_losses(spec, "duration_predictor")) or "duration_pred (B, N)"
        yield Edge("duration_predictor", "losses", label, only_training=True)


def _mel_edges(spec: ModelSpec) -> Iterator[Edge]:
    """Yield where the mel goes, and what its loss is computed from."""
    mel, own = _flow(spec, "mel", "decoder"), _own_losses(spec, "decoder")
    last = "decoder" if spec.postnet is None else "postnet"
    if spec.postnet is not None and not own:
        yield Edge("decoder", "losses", f"coarse {mel}", only_training=True)
    yield Edge(last, "mel", mel)
    if own:
        yield Edge("decoder", "losses", ", ".join(own), only_training=True)
    else:
        yield Edge(last, "losses", mel, only_training=True)


def _joined(edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges, those between the same two nodes as one."""
    labels: dict[tuple[str, str, bool], list[str]] = {}
    for each in edges:
        labels.setdefault((each.source, each.target, each.only_training), []).append(each.label)
    return [Edge(a, b, ", ".join(every), training) for (a, b, training), every in labels.items()]


def _flow(spec: ModelSpec, port: str, taker: str) -> str:
    """Return a tensor with its shape, as the part that takes it sees it."""
    width = getattr(component_sizes(spec, taker), PORTS[port].width)
    return f"{port} {PORTS[port].shape.format(width)}"


def _needs(spec: ModelSpec) -> Iterator[Edge]:
    """Yield an edge for each side input: the plan comes from the regulator, noise from nowhere."""
    for slot, component in parts_of(spec).items():
        for name in sorted(component.needs - {"noise"}):
            source = "regulator" if name == "plan" else f"side_{name}"
            yield Edge(source, slot, name)
