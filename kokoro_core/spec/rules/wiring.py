"""Check that each part of a spec gets what it needs, from what the parts declare.

The parts are the nodes of a graph, `connections` its edges. Nothing is built: what a component
needs and gives stands on its params class, so a third party's declarations count like ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.component_failure import attribute_errors_to
from kokoro_core.slots import MODEL_SLOTS, End, PositionalEncodingParams
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.tree.model_spec import LossWeights, ModelSpec
from kokoro_core.spec.tree.walk import components_in

NO_PLAN: tuple[Path, ...] = (("regulator",), ("duration_predictor",))
"""The fields whose null leaves a model without a plan."""

_STOP_SETTINGS = ("stop", "stop_positive_weight")


def connections(spec: ModelSpec) -> Iterator[tuple[End, End]]:
    """Yield each connection of the model: (slot, port) that gives and (slot, port) that takes."""
    parts = parts_of(spec)
    for slot in parts:
        for port, sources in MODEL_SLOTS[slot].takes.items():
            yield from [(source, (slot, port)) for source in sources if source[0] in parts][:1]


def parts_of(spec: ModelSpec) -> Mapping[str, ComponentParams]:
    """Return the parts of the model that the spec fills, by slot."""
    parts = {slot: getattr(spec, slot) for slot in MODEL_SLOTS}
    return {slot: part for slot, part in parts.items() if part is not None}


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
            causes = ((giver, "type"), (taker, "type"))
            yield RuleViolation("unmet-input", (giver, "type"), message, None, causes)


def _inputs_are_fed(spec: ModelSpec) -> Iterator[RuleViolation]:
    for slot, part in parts_of(spec).items():
        fed = [port for _, (taker, port) in connections(spec) if taker == slot]
        for port in part.takes:
            if port not in fed:
                message = (
                    f"the {slot} takes `{port}`, which no component gives; a {slot} gets "
                    f"{_named(fed)}"
                )
                yield RuleViolation("unmet-input", (slot, "type"), message, None, ((slot, "type"),))


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


def _stop_is_predicted(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Find settings of the stop token for a decoder that has no stop head.

    A default that is written out, as a resolved spec has it, asks for nothing.
    """
    if not spec.decoder.parallel:
        return
    for field in _STOP_SETTINGS:
        value = getattr(spec.loss, field)
        if value not in (0, LossWeights.model_fields[field].default):
            message = (
                f"{value} asks for a stop token, but the decoder at {{other}} makes all frames at "
                f"once and has no stop head; leave the setting out"
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
