"""A composed model as a graph: parts, what flows between them, and its shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.problems.problem import dotted
from kokoro_core.spec.rules.dimensions import solve_dimensions
from kokoro_core.spec.rules.intake import REFERENCE, given_features
from kokoro_core.spec.rules.own_losses import loss_terms
from kokoro_core.spec.rules.waves import WAVE, gives_wave
from kokoro_core.spec.rules.wiring import has_stop_head, parts_of
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in
from kokoro_core.spec.views.flows import Edge, flows, input_name
from registry import ComponentRegistry

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
    parts = [
        Node(place, "part", (place, *_inside(component, registry)))
        for place, component in parts_of(spec).items()
    ]
    return Graph([*_inputs(spec), *parts, *_outputs(spec)], flows(spec))


def _inputs(spec: ModelSpec) -> Iterator[Node]:
    symbols = f"{spec.vocab_size} symbols, padding {spec.pad_id}"
    yield Node("phoneme_indices", "input", ("phoneme_indices", symbols))
    yield from _features(spec)
    if spec.regulator is not None and spec.aligner is None:
        yield Node("durations", "input", ("durations", "given in training"))
    yield Node("mel_specs", "input", ("mel_specs", "teacher frames in training"))


def _features(spec: ModelSpec) -> Iterator[Node]:
    """Yield what the corpus or the caller gives beside the text, each name once."""
    found = {name: feature for _, name, feature in given_features(spec)}
    for name, feature in sorted(found.items(), key=lambda each: each[0]):
        if feature is None:
            yield Node(input_name(name), "input", (name, "side input"))
        elif name != f"{REFERENCE}_padding_mask":
            when = "" if feature.when == "always" else f", given in {feature.when}"
            yield Node(input_name(name), "input", (name, f"one a {feature.per}{when}"))


def _outputs(spec: ModelSpec) -> Iterator[Node]:
    made = WAVE if gives_wave(spec.decoder) else "mel"
    yield Node(made, "output", (made,))
    if has_stop_head(spec.decoder):
        yield Node("stop", "output", ("stop", "ends an utterance"))
    terms = (
        name if weight is None else f"{name} × {weight:g}"
        for name, weight in loss_terms(spec).items()
    )
    yield Node("losses", "loss", ("losses", *terms))


def _inside(component: ComponentParams, registry: ComponentRegistry) -> Iterator[str]:
    """Yield the name of a component and of those nested in it."""
    yield _name(component, registry)
    for path, each in components_in(component):
        yield f"{dotted(path)}: {_name(each, registry)}"


def _name(component: ComponentParams, registry: ComponentRegistry) -> str:
    found = registry.registration(type(component))
    return component.type if found is None else found.qualified_name
