"""Check that each part of a spec gets what it needs, from what the parts declare.

The parts are the nodes of a graph, `connections` its edges. Nothing is built: what a component
needs and gives stands on its params class, so a third party's declarations count like ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kokoro_core.params.component import ComponentParams, declared
from kokoro_core.params.component_failure import attribute_errors_to
from kokoro_core.slots import MODEL_SLOTS, DecoderParams, End, PositionalEncodingParams, slot_row
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.tree.model_spec import LossWeights, ModelSpec
from kokoro_core.spec.tree.walk import components_in

NO_PLAN: tuple[Path, ...] = (("regulator",), ("duration_predictor",))
"""The fields whose null leaves a model without a plan."""

_STOP_SETTINGS = ("stop", "stop_positive_weight")


def connections(spec: ModelSpec) -> Iterator[tuple[End, End]]:
    """Yield each connection of the model: (slot, port) that gives and (slot, port) that takes."""
    last: dict[str, str] = {}  # the last part so far under each key
    for place in parts_of(spec):
        for port, sources in slot_row(place).takes.items():
            fed = [((last[key], given), (place, port)) for key, given in sources if key in last]
            yield from fed[:1]
        last[place.partition(".")[0]] = place


def parts_of(spec: ModelSpec) -> Mapping[str, ComponentParams]:
    """Return the parts of the model that the spec fills, by place, in the order of the data flow.

    A place is a key such as ``encoder``, or key and name such as ``token_adaptors.pitch``.
    """
    parts: dict[str, ComponentParams] = {}
    for key, row in MODEL_SLOTS.items():
        value = getattr(spec, key)
        if row.many:
            parts |= {f"{key}.{name}": part for name, part in value.items()}
        elif value is not None:
            parts[key] = value
    return parts


def path_of_part(place: str) -> Path:
    """Return the path of a part in a spec."""
    return tuple(place.split("."))


def place_of(path: Path) -> str:
    """Return the place of the part that a path leads to or into."""
    key = str(path[0])
    many = key in MODEL_SLOTS and MODEL_SLOTS[key].many
    return f"{key}.{path[1]}" if many else key


def find_unmet(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield every input of a part that no other part gives; `side_inputs` has those by name."""
    yield from _outputs_are_given(spec)
    yield from _inputs_are_fed(spec)
    yield from _frames_have_memory(spec)
    yield from _stop_is_predicted(spec)
    yield from _positions_can_be_offset(spec)


def _outputs_are_given(spec: ModelSpec) -> Iterator[RuleViolation]:
    parts = parts_of(spec)
    for (giver, port), (taker, _) in connections(spec):
        if port not in parts[giver].gives:
            message = (
                f"the {taker} takes the `{port}` of the {giver}, which gives "
                f"{_named(parts[giver].gives)}; choose another {giver}"
            )
            at = (*path_of_part(giver), "type")
            causes = (at, (*path_of_part(taker), "type"))
            yield RuleViolation("unmet-input", at, message, None, causes)


def _inputs_are_fed(spec: ModelSpec) -> Iterator[RuleViolation]:
    for slot, part in parts_of(spec).items():
        fed = [port for _, (taker, port) in connections(spec) if taker == slot]
        for port in part.takes:
            if port not in fed:
                message = (
                    f"the {slot} takes `{port}`, which no component gives; a {slot} gets "
                    f"{_named(fed)}"
                )
                at = (*path_of_part(slot), "type")
                yield RuleViolation("unmet-input", at, message, None, (at,))


def _frames_have_memory(spec: ModelSpec) -> Iterator[RuleViolation]:
    if not reads_phonemes(spec):
        return
    with attribute_errors_to(spec.decoder, ("decoder",), "frame_by_frame"):
        fields = tuple(spec.decoder.frame_by_frame)
    for field in fields:
        message = (
            "needs one memory vector a frame, which no component gives, since {other} is null; "
            "fill it, or change this setting"
        )
        causes: tuple[Path, ...] = (("decoder", "type"), ("decoder", field), *NO_PLAN)
        yield RuleViolation("unmet-need", ("decoder", field), message, ("regulator",), causes)


def reads_phonemes(spec: ModelSpec) -> bool:
    """Return whether the decoder gets one vector a phoneme, as the author wants it.

    With only one of the two slots null that is the mistake, and what follows from it is not said.
    """
    return spec.regulator is None and spec.duration_predictor is None


def has_stop_head(decoder: DecoderParams) -> bool:
    """Return whether a decoder learns which frame is the last."""
    with attribute_errors_to(decoder, ("decoder",), "has_stop_head"):
        return bool(declared(decoder, "has_stop_head", not decoder.parallel))


def _stop_is_predicted(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Find settings of the stop token for a decoder that has no stop head.

    A default that is written out, as a resolved spec has it, asks for nothing.
    """
    if has_stop_head(spec.decoder):
        return
    for field in _STOP_SETTINGS:
        value = getattr(spec.loss, field)
        if value not in (0, LossWeights.model_fields[field].default):
            message = (
                f"{value} asks for a stop token, but the decoder at {{other}} has no stop head; "
                f"leave the setting out"
            )
            at, decoder = ("loss", field), ("decoder", "type")
            yield RuleViolation("no-stop-head", at, message, decoder, (at, decoder))


def _positions_can_be_offset(spec: ModelSpec) -> Iterator[RuleViolation]:
    if spec.decoder.parallel:
        return
    for path, component in components_in(spec.decoder, ("decoder",)):
        if isinstance(component, PositionalEncodingParams) and not component.offsetable:
            message = (
                f"the encoding '{component.type}' knows only whole sequences, but the "
                f"autoregressive decoder at {{other}} makes frames from the middle on; choose a "
                f"positional encoding that can be offset, or a parallel decoder"
            )
            at, decoder = (*path, "type"), ("decoder", "type")
            yield RuleViolation("not-offsetable", at, message, decoder, (at, decoder))


def _named(ports: Mapping[str, str] | list[str]) -> str:
    return ", ".join(f"`{port}`" for port in ports) or "nothing"
