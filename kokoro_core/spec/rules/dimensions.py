"""Solve the widths of a spec and check what holds between its components.

A component that leaves a width out takes the spec's; one that has no field for it takes the width
that arrives and passes it on. Then the widths at both ends of each connection must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any, TypeVar

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import PORTS, VECTORS
from kokoro_core.spec.problems.problem import Path, SpecError
from kokoro_core.spec.problems.violation import RuleViolation, violation_problem
from kokoro_core.spec.rules.accessed_fields import accessed_fields
from kokoro_core.spec.rules.feature_forms import find_wrong_features
from kokoro_core.spec.rules.names import find_wrong_names
from kokoro_core.spec.rules.nested import Told, with_inner
from kokoro_core.spec.rules.nested_outputs import find_unread_outputs
from kokoro_core.spec.rules.own_losses import find_wrong_losses, weighed_losses
from kokoro_core.spec.rules.part_names import find_wrong_part_names
from kokoro_core.spec.rules.side_inputs import find_unmet_needs, find_wrong_widths
from kokoro_core.spec.rules.waves import find_wrong_waves
from kokoro_core.spec.rules.wiring import (
    connections,
    find_unmet,
    parts_of,
    path_of_part,
    place_of,
)
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import inner_components, parse_path

Model = TypeVar("Model", bound=BaseModel)

_SPEC_WIDTH = {name: port.width for name, port in PORTS.items()}


@dataclass(frozen=True)
class Width:
    """A width, the place that sets it, and all places that decide it."""

    value: int
    path: Path
    causes: tuple[Path, ...]


def solve_dimensions(spec: ModelSpec) -> ModelSpec:
    """Return the spec with every inherited width written.

    Raises:
        SpecError: Widths do not meet, or another rule between components is broken; each problem
            names both places.
    """
    violations = list(find_conflicts(spec))
    if violations:
        raise SpecError(violation_problem(each) for each in violations)
    return fill_widths(spec)


def component_sizes(spec: ModelSpec, slot: str) -> Sizes:
    """Return the sizes that the component in a slot is built with.

    Its `hidden_dim` is the width at which it takes hidden vectors or memory, for an encoder the one
    that it gives.
    """
    width = _width_of_vectors(spec, slot)
    return spec.sizes if width is None else replace(spec.sizes, hidden_dim=width.value)


def _width_of_vectors(spec: ModelSpec, slot: str) -> Width | None:
    """Return the width at which a part meets its neighbours; None for what is no part."""
    component = parts_of(spec).get(slot)
    for side in ("takes", "gives") if component is not None else ():
        for port in getattr(component, side):
            if port in VECTORS:
                return _width(spec, slot, side, port)
    return None


def fill_widths(spec: ModelSpec) -> ModelSpec:
    """Return the spec with every width that a component leaves out set to the spec's.

    Losses of the parts' own get the weights that their components give them.
    """
    filled: dict[str, Any] = {"loss": weighed_losses(spec)}
    for place, component in parts_of(spec).items():
        key, _, name = place.partition(".")
        copied = _copy(component, _inherited(spec, component))
        filled[key] = {**filled.get(key, {}), name: copied} if name else copied
    return _copy(spec, filled)


def _inherited(spec: ModelSpec, component: ComponentParams) -> dict[str, int]:
    """Return the fields of a component that take the spec's width, with that width."""
    ports = {**component.gives, **component.takes}
    return {
        field: getattr(spec, _SPEC_WIDTH[port])
        for port, field in ports.items()
        if port in _SPEC_WIDTH and _leaves_out(component, field)
    }


def _leaves_out(component: ComponentParams, field: str) -> bool:
    """Return whether a component has a width field and the spec's author did not set it."""
    described = type(component).model_fields.get(field)
    if described is None:
        return False
    unset = field not in component.model_fields_set and described.default is None
    return unset or getattr(component, field) is None


def _copy(model: Model, changes: dict[str, Any]) -> Model:
    """Return a copy with changes that does not count them as set by the author."""
    values = {name: getattr(model, name) for name in type(model).model_fields}
    return type(model).model_construct(_fields_set=set(model.model_fields_set), **values | changes)


def _width(spec: ModelSpec, slot: str, side: str, port: str) -> Width:
    """Return the width of a component at a port."""
    component, path = parts_of(spec)[slot], path_of_part(slot)
    field = getattr(component, side).get(port, "")
    own: tuple[Path, ...] = ((*path, "type"),)
    source = None
    if field in type(component).model_fields:
        own = (*own, (*path, field))
        if not _leaves_out(component, field):
            return Width(getattr(component, field), (*path, field), own)
    else:
        source = _source_of(spec, slot, port if side == "takes" else _passed_on(component, port))
    if source is not None:
        width = _width(spec, *source)
        return replace(width, causes=(*own, *width.causes))
    of_spec = _SPEC_WIDTH[port]
    return Width(getattr(spec, of_spec), (of_spec,), (*own, (of_spec,)))


def _passed_on(component: ComponentParams, port: str) -> str | None:
    """Return the input whose width a component without width fields gives on at an output."""
    same_kind = [each for each in component.takes if _SPEC_WIDTH.get(each) == _SPEC_WIDTH[port]]
    return same_kind[0] if same_kind else None


def _source_of(spec: ModelSpec, slot: str, port: str | None) -> tuple[str, str, str] | None:
    """Return the (slot, side, port) that feeds an input."""
    for giver, taker in connections(spec):
        if taker == (slot, port):
            return giver[0], "gives", giver[1]
    return None


def find_conflicts(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield every rule between the parts of a spec that is broken."""
    checks: tuple[Callable[[ModelSpec], Iterator[RuleViolation]], ...] = (
        _sizes_fit,
        _slots_fit,
        _widths_meet,
        _mel_is_right,
        _components_agree,
        find_unmet,
        find_unmet_needs,
        find_unread_outputs,
        find_wrong_part_names,
        find_wrong_widths,
        find_wrong_losses,
        find_wrong_names,
        find_wrong_waves,
        find_wrong_features,
    )
    failed: set[RuleViolation] = set()
    for check in checks:
        try:
            yield from check(spec)
        except ComponentFailure as failure:
            if failure.violation not in failed:  # several checks may ask a part the same
                yield failure.violation
            failed.add(failure.violation)


def _sizes_fit(spec: ModelSpec) -> Iterator[RuleViolation]:
    if spec.pad_id >= spec.vocab_size:
        message = (
            f"{spec.pad_id} is not one of the {spec.vocab_size} phoneme indices 0 to "
            f"{spec.vocab_size - 1} that {{other}} allows"
        )
        causes: tuple[Path, ...] = (("pad_id",), ("vocab_size",))
        yield RuleViolation("out-of-range", ("pad_id",), message, ("vocab_size",), causes)
    if spec.audio is not None and spec.audio.n_mels != spec.mel_dim:
        message = f"{spec.audio.n_mels} mel channels do not meet the {spec.mel_dim} of {{other}}"
        causes = (("audio", "n_mels"), ("mel_dim",))
        yield RuleViolation("width-mismatch", ("audio", "n_mels"), message, ("mel_dim",), causes)


def _slots_fit(spec: ModelSpec) -> Iterator[RuleViolation]:
    if (spec.duration_predictor is None) != (spec.regulator is None):
        null, other = "regulator", "duration_predictor"
        if spec.duration_predictor is None:
            null, other = other, null
        message = "is null but {other} is not; fill both, or set both to null"
        yield RuleViolation("half-regulated", (null,), message, (other,), ((null,), (other,)))


def _widths_meet(spec: ModelSpec) -> Iterator[RuleViolation]:
    for (giver, gives), (taker, takes) in connections(spec):
        given, taken = _width(spec, giver, "gives", gives), _width(spec, taker, "takes", takes)
        if given.value == taken.value:
            continue
        what = gives if gives == takes else f"{gives} (as {takes})"
        message = (
            f"the {giver} gives {what} of width {given.value} and the {taker} takes "
            f"{taken.value}, set by {{other}}; make the two equal"
        )
        at, other = (taken, given) if len(taken.path) > 1 else (given, taken)
        causes = (*given.causes, *taken.causes)
        yield RuleViolation("width-mismatch", at.path, message, other.path, causes)


def _mel_is_right(spec: ModelSpec) -> Iterator[RuleViolation]:
    for slot, component in parts_of(spec).items():
        if "mel" not in component.gives:
            continue
        width = _width(spec, slot, "gives", "mel")
        if width.value != spec.mel_dim and width.path[:-1] == path_of_part(slot):
            message = (
                f"the {slot} gives a mel of {width.value} channels and the model has "
                f"{spec.mel_dim}, set by {{other}}; make the two equal"
            )
            causes = (*width.causes, ("mel_dim",))
            yield RuleViolation("width-mismatch", width.path, message, ("mel_dim",), causes)


def _components_agree(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Ask each component, nested ones too, for rules of its own."""
    filled = fill_widths(spec)
    for path, component in inner_components(filled):
        place = place_of(path)
        sizes = component_sizes(spec, place)
        for told in with_inner(Told(path, component, sizes, _causes_of_sizes(spec, place))):
            yield from _broken_rules(told)


def _broken_rules(told: Told) -> Iterator[RuleViolation]:
    """Yield the rules that a component says are broken at its sizes."""
    path, component, sizes = told.path, told.component, told.sizes
    with attribute_errors_to(component, path, "cross_check"):
        found = [(field, message) for field, message in component.cross_check(sizes)]
    if not found:
        return
    read = accessed_fields(component, methodcaller("cross_check", sizes))
    causes = ((*path, "type"), *told.causes, *((*path, each) for each in sorted(read)))
    for field, message in found:
        where = (*path, *parse_path(field)) if field else path
        yield RuleViolation("inconsistent", where, message, None, causes)


def _causes_of_sizes(spec: ModelSpec, slot: str) -> tuple[Path, ...]:
    """Return the places that decide the sizes that the components in a slot are told."""
    width = _width_of_vectors(spec, slot)
    others: tuple[Path, ...] = (("vocab_size",), ("pad_id",), ("mel_dim",))
    return (*others, *(width.causes if width else (("hidden_dim",),)))
