"""Check that whoever holds an encoder can read what it gives beside its hidden vectors."""

from __future__ import annotations

from collections.abc import Iterator

from kokoro_core.params.component import ComponentParams, declared
from kokoro_core.params.component_failure import attribute_errors_to
from kokoro_core.slots import EncoderParams
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import inner_components


def find_unread_outputs(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield each encoder in another component's settings that returns more than its owner reads."""
    for place, part in parts_of(spec).items():
        yield from _in(spec, part, path_of_part(place))


def _in(spec: ModelSpec, owner: ComponentParams, path: Path) -> Iterator[RuleViolation]:
    with attribute_errors_to(owner, path, "reads_encoder_output"):
        reads = bool(declared(owner, "reads_encoder_output", False))
    for at, inner in inner_components(owner, path):
        if isinstance(inner, EncoderParams) and not reads:
            yield from _unread(spec, owner, path, inner, at)
        yield from _in(spec, inner, at)


def _unread(
    spec: ModelSpec, owner: ComponentParams, path: Path, inner: EncoderParams, at: Path
) -> Iterator[RuleViolation]:
    with attribute_errors_to(inner, at, "gives_parts"):
        more = [*inner.gives_parts(spec.sizes)]
    with attribute_errors_to(inner, at, "losses"):
        more += [f"the loss {name}" for name in declared(inner, "losses", None) or ()]
    if more:
        message = (
            f"the encoder '{inner.type}' also gives {', '.join(more)}, and '{owner.type}' at "
            f"{{other}} reads hidden vectors alone; choose another encoder, or its author lets it "
            f"take an `EncoderOutput` and declares `reads_encoder_output`"
        )
        other = (*path, "type")
        yield RuleViolation("unmet-input", at, message, other, ((*at, "type"), other))
