"""Settings that name what the model makes, and things that it makes and nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.features import NamesPart
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.intake import (
    embedding_name,
    encoder_parts,
    given_features,
    intake_of,
    intakes,
    offered,
)
from kokoro_core.spec.rules.names import NAMED
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in
from registry.text import suggestion


def find_wrong_part_names(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield each setting that names what no part of the model gives."""
    made = offered(spec)
    for place, part in parts_of(spec).items():
        path = path_of_part(place)
        known = made.keys() | intake_of(spec, place).features.keys()
        for at, component in ((path, part), *components_in(part, path)):
            for setting, name in named_parts(component):
                if name not in known:
                    yield _unknown_part(spec, (*at, *setting), name)


def named_parts(component: ComponentParams) -> Iterator[tuple[Path, str]]:
    """Yield what the settings that name what the model makes say, each with its path."""
    for field, info in type(component).model_fields.items():
        if not names_a_part(info.annotation, info.metadata):
            continue
        value = getattr(component, field)
        if isinstance(value, str):
            yield (field,), value
        elif value is not None:
            yield from (((field, index), each) for index, each in enumerate(value))


def names_a_part(annotation: Any, metadata: list[Any]) -> bool:
    """Return whether a setting of that type is the name of something that the model makes."""
    if any(isinstance(each, NamesPart) for each in metadata):
        return True
    if get_origin(annotation) is Annotated:
        return names_a_part(annotation.__origin__, list(annotation.__metadata__))
    return any(names_a_part(each, []) for each in get_args(annotation))


def _unknown_part(spec: ModelSpec, path: Path, name: str) -> RuleViolation:
    given = [*encoder_parts(spec), *map(embedding_name, spec.conditioners)]
    listed = ", ".join(f"`{each}`" for each in given)
    hint = suggestion(name, given) or f"; it gives {listed or 'none by name'}"
    message = f"no part of this model gives `{name}`{hint}"
    return RuleViolation("unmet-need", path, message, ("encoder",), (path, ("encoder", "type")))


def unused(spec: ModelSpec) -> list[str]:
    """Return in words what a valid spec lists and no part of its model uses."""
    return [*_unused_conditioners(spec), *_unused_names(spec)]


def _unused_conditioners(spec: ModelSpec) -> Iterator[str]:
    needs = frozenset[str]().union(*(each.needs for each in intakes(spec).values()))
    for name, part in spec.conditioners.items():
        if embedding_name(name) not in needs and not getattr(part, "add", False):
            yield (
                f"no part uses the vector of `conditioners.{name}`, which so learns nothing; set "
                f"`add: true` there, or choose a part that needs `{embedding_name(name)}`"
            )


def _unused_names(spec: ModelSpec) -> Iterator[str]:
    taken = {name for _, name, _ in given_features(spec)}
    for feature, key in NAMED.items():
        if getattr(spec, key) and feature not in taken:
            yield (
                f"the spec lists `{key}`, but no part of its model takes the feature `{feature}`, "
                f"so all are one to it; `conditioners: {{{feature}: {{type: lookup, feature: "
                f"{feature}, add: true}}}}` tells them apart"
            )
