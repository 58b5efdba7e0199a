"""What flows between the parts of a model, as a drawing shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kokoro_core.slots import MODEL_SLOTS, PORTS, short_name
from kokoro_core.spec.rules.dimensions import component_sizes
from kokoro_core.spec.rules.intake import (
    ENCODER_HIDDEN,
    LATENTS,
    REFERENCE,
    Intake,
    embedding_name,
    encoder_parts,
    gives_latents,
    intakes,
)
from kokoro_core.spec.rules.own_losses import names_of_losses, replaced_losses
from kokoro_core.spec.rules.waves import WAVE, gives_wave
from kokoro_core.spec.rules.wiring import connections, has_stop_head, parts_of
from kokoro_core.spec.tree.model_spec import ModelSpec


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


def flows(spec: ModelSpec) -> list[Edge]:
    """Return the edges of a model whose widths are solved, one between any two nodes a mode."""
    return _joined(_edges(spec))


def input_name(feature: str) -> str:
    """Return the name of the node of a feature."""
    return f"side_{feature}"


def _edges(spec: ModelSpec) -> Iterator[Edge]:
    yield Edge("phoneme_indices", "encoder", "indices (B, N)")
    for (giver, port), (taker, _) in connections(spec):
        yield Edge(giver, taker, _flow(spec, port, taker), only_training=taker == "aligner")
        if taker == "aligner":
            yield Edge("mel_specs", "aligner", f"mel_specs (B, T, {spec.mel_dim})", True)
        elif taker == "regulator":
            yield from _durations(spec)
        elif taker == "decoder":
            yield Edge("mel_specs", "decoder", f"mel_specs (B, T, {spec.mel_dim})", True)
    for place, intake in intakes(spec).items():
        yield from _side_flows(spec, place, intake)
    yield from _added(spec)
    yield from _results(spec)


def _durations(spec: ModelSpec) -> Iterator[Edge]:
    """Yield where the regulator has the frames of each phoneme from."""
    yield Edge("duration_predictor", "regulator", "frames (B, N)")
    source = "durations" if spec.aligner is None else "aligner"
    yield Edge(source, "regulator", "durations (B, N)", only_training=True)


def _side_flows(spec: ModelSpec, place: str, intake: Intake) -> Iterator[Edge]:
    """Yield what a part is given by keyword: from another part, or from outside the model."""
    made = _made_by_parts(spec, place)
    for name in sorted(intake.needs - {"noise", f"{REFERENCE}_padding_mask"}):
        source, label = made.get(name, (input_name(name), name))
        feature = intake.features.get(name)
        only_training = feature is not None and feature.when == "training"
        if source != place:  # a decoder may be given its own latents
            yield Edge(source, place, label, only_training or place == "aligner")
    if intake.target is not None:
        yield Edge(input_name(intake.target.name), place, intake.target.name, only_training=True)


def _made_by_parts(spec: ModelSpec, place: str) -> dict[str, tuple[str, str]]:
    """Return the source and the label of each tensor that a part can be given by name."""
    steps = _steps(spec, place)
    widths = {**encoder_parts(spec), ENCODER_HIDDEN: spec.hidden_dim}
    found = {name: ("encoder", f"{name} (B, {steps}, {width})") for name, width in widths.items()}
    for name in spec.conditioners:
        embedding = embedding_name(name)
        found[embedding] = (f"conditioners.{name}", _vector(spec, name))
    if gives_latents(spec):
        found[LATENTS] = ("decoder", f"{LATENTS} (B, T)")
    return {**found, "plan": ("regulator", "plan")}


def _vector(spec: ModelSpec, name: str) -> str:
    place = f"conditioners.{name}"
    width = spec.conditioners[name].width(component_sizes(spec, place))
    return f"{embedding_name(name)} (B, {width})"


def _added(spec: ModelSpec) -> Iterator[Edge]:
    """Yield the conditioners that are added to the encoder's hidden vectors."""
    for name, part in spec.conditioners.items():
        if part.add:
            yield Edge(f"conditioners.{name}", "encoder", f"{_vector(spec, name)}, added to hidden")


def _results(spec: ModelSpec) -> Iterator[Edge]:
    """Yield what comes out of the model, and what its losses are computed from."""
    replaced, mel = replaced_losses(spec), _made(spec)
    last = "decoder" if spec.postnet is None else "postnet"
    if spec.postnet is not None and "mel" not in replaced:
        yield Edge("decoder", "losses", f"coarse {mel}", only_training=True)
    yield Edge(last, WAVE if gives_wave(spec.decoder) else "mel", mel)
    if "mel" not in replaced:
        yield Edge(last, "losses", mel, only_training=True)
    if has_stop_head(spec.decoder):
        yield Edge("decoder", "stop", "stop_logits (B, T)")
        if "stop" not in replaced:
            yield Edge("decoder", "losses", "stop_logits (B, T)", only_training=True)
    if spec.duration_predictor is not None and "duration" not in replaced:
        yield Edge("duration_predictor", "losses", "duration_pred (B, N)", only_training=True)
    for place, part in parts_of(spec).items():
        for name in names_of_losses(part, place):
            yield Edge(place, "losses", name.removeprefix(f"{short_name(place)}."), True)


def _made(spec: ModelSpec) -> str:
    if gives_wave(spec.decoder):
        return f"wave (B, T, {spec.sizes.hop_length})"
    return _flow(spec, "mel", "decoder")


def _joined(edges: Iterable[Edge]) -> list[Edge]:
    labels: dict[tuple[str, str, bool], list[str]] = {}
    for each in edges:
        labels.setdefault((each.source, each.target, each.only_training), []).append(each.label)
    return [Edge(a, b, ", ".join(every), training) for (a, b, training), every in labels.items()]


def _flow(spec: ModelSpec, port: str, taker: str) -> str:
    """Return a tensor with its shape, as the part that takes it sees it."""
    width = getattr(component_sizes(spec, taker), PORTS[port].width)
    return f"{port} {PORTS[port].shape.format(width).replace('L', _steps(spec, taker))}"


def _steps(spec: ModelSpec, place: str) -> str:
    """Return the axis along which a part works: N phonemes before the plan, T frames after it."""
    keys = list(MODEL_SLOTS)
    is_after = keys.index(place.partition(".")[0]) > keys.index("regulator")
    return "T" if is_after and spec.regulator is not None else "N"
