"""The losses that the parts of a spec return themselves, and their weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from kokoro_core.params.component import ComponentParams, declared, owner_of
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to, returned
from kokoro_core.slots import PartParams, short_name
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.wiring import has_stop_head, parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.sections import LossWeights
from registry.text import suggestion

REPLACEABLE = frozenset({"mel", "duration", "stop"})
"""The losses of the framework's that a part's own may stand for."""

REPLACED_UNSAID = {"decoder": frozenset({"mel"}), "duration_predictor": frozenset({"duration"})}
"""What the own losses of a part stand for that does not say it, by its place."""


def losses_of(part: ComponentParams, path: Path) -> Mapping[str, float | None] | None:
    """Return the default weights of a part's own losses by name; None: it declares nothing.

    Raises:
        ComponentFailure: It raised, or returned something else.
    """
    if not isinstance(part, PartParams):
        return None
    with attribute_errors_to(part, path, "losses"):
        losses: Mapping[str, float | None] | None = declared(part, "losses", None)
        rightly = losses is None or all(_is_weighed(*each) for each in losses.items())
    if not rightly:
        what = returned(losses, "weights of 0 or more, or None, by name, from `losses`")
        raise ComponentFailure(path, owner_of(type(part)), what)
    return losses


def _is_weighed(name: object, weight: object) -> bool:
    if not isinstance(name, str) or not name or "." in name:
        return False
    is_number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    return weight is None or (is_number and math.isfinite(weight) and weight >= 0)  # type: ignore[arg-type,operator]


def replaced_by(part: ComponentParams, place: str) -> frozenset[str]:
    """Return which losses of the framework's those of the part at a place stand for.

    Raises:
        ComponentFailure: It raised, or returned something else.
    """
    if not isinstance(part, PartParams):
        return REPLACED_UNSAID.get(place, frozenset())
    path = path_of_part(place)
    with attribute_errors_to(part, path, "replaces"):
        replaces: frozenset[str] | None = declared(part, "replaces", None)
        rightly = replaces is None or replaces <= REPLACEABLE
    if not rightly:
        what = returned(replaces, f"a subset of {sorted(REPLACEABLE)}, from `replaces`")
        raise ComponentFailure(path, owner_of(type(part)), what)
    return REPLACED_UNSAID.get(place, frozenset()) if replaces is None else replaces


def names_of_losses(part: ComponentParams, place: str) -> tuple[str, ...]:
    """Return the names that the losses of the part at a place have in the model."""
    path = path_of_part(place)
    names = losses_of(part, path)
    if names is not None:
        return tuple(f"{short_name(place)}.{name}" for name in names)
    if not isinstance(part, PartParams):
        return ()
    with attribute_errors_to(part, path, "own_losses"):
        return tuple(map(str, part.own_losses))


def replaced_losses(spec: ModelSpec) -> frozenset[str]:
    """Return the losses of the framework's that those of the model's parts stand for."""
    parts = {place: part for place, part in parts_of(spec).items() if names_of_losses(part, place)}
    return frozenset().union(*(replaced_by(part, place) for place, part in parts.items()))


def loss_terms(spec: ModelSpec) -> dict[str, float | None]:
    """Return the weight of each loss that the model has, by name; those of weight 0 are left out.

    The weight of a part's own loss that is not declared is None: it counts once.
    """
    replaced, weights = replaced_losses(spec), spec.loss
    names = [] if "mel" in replaced else ["mel_l1", "mel_mse"]
    if spec.duration_predictor is not None and "duration" not in replaced:
        names.append("duration")
    if has_stop_head(spec.decoder) and "stop" not in replaced:
        names.append("stop")
    terms: dict[str, float | None] = {name: getattr(weights, name) for name in names}
    defaults = {name: weight for name, (_, weight) in declared_losses(spec).items()}
    for place, part in parts_of(spec).items():
        for name in names_of_losses(part, place):
            terms[name] = weights.of_parts.get(name, defaults.get(name))
    return {name: weight for name, weight in terms.items() if weight != 0}


def declared_losses(spec: ModelSpec) -> dict[str, tuple[str, float | None]]:
    """Return the place and the default weight of each declared loss, by its full name."""
    return {
        f"{short_name(place)}.{name}": (place, weight)
        for place, part in parts_of(spec).items()
        for name, weight in (losses_of(part, path_of_part(place)) or {}).items()
    }


def weighed_losses(spec: ModelSpec) -> LossWeights:
    """Return the spec's weights with the default of each loss that it does not weigh."""
    defaults = {
        name: weight
        for name, (_, weight) in declared_losses(spec).items()
        if weight is not None and name not in spec.loss.of_parts
    }
    if not defaults:
        return spec.loss
    values = {name: getattr(spec.loss, name) for name in LossWeights.model_fields}
    given = set(spec.loss.model_fields_set)
    return LossWeights.model_construct(given, **values, **spec.loss.of_parts, **defaults)


def find_wrong_losses(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield each weight of a loss that nobody has, and each loss without a weight."""
    declared = declared_losses(spec)
    yield from _losses_are_there(spec)
    for name in spec.loss.of_parts:
        if name not in declared:
            known = [*LossWeights.model_fields, *declared]
            yield RuleViolation("unknown-field", ("loss", name), _unknown(name, known))
    for name, (place, weight) in declared.items():
        if weight is None and name not in spec.loss.of_parts:
            message = (
                f"the {place} returns a loss `{name}` that has no default weight; give it one in "
                f"the section `loss`, such as `loss: {{{name}: 1.0}}`"
            )
            at = (*path_of_part(place), "type")
            yield RuleViolation("no-weight", at, message, None, (at, ("loss",)))


def _losses_are_there(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Find weights of the framework's losses that this model does not have.

    A default that is written out, as a resolved spec has it, asks for nothing.
    """
    there = loss_terms(spec)
    for name in ("mel_l1", "mel_mse", "duration"):
        value = getattr(spec.loss, name)
        if name in there or value in (0, LossWeights.model_fields[name].default):
            continue
        message = (
            f"{value:g} weighs a loss that this model does not have, since no part predicts it, or "
            f"a loss of a part's own stands for it; leave the setting out"
        )
        yield RuleViolation("unused-weight", ("loss", name), message)


def _unknown(name: str, known: list[str]) -> str:
    hint = suggestion(name, known, "'") or f"; known: {', '.join(known)}"
    what = "no part of this model has a loss of this name" if "." in name else "unknown field"
    return f"{what}{hint}"
