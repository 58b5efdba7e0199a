"""What a component declares beside its settings: what it needs and has, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from kokoro_core.params.component import ComponentParams, declared
from kokoro_core.params.component_failure import attribute_errors_to
from kokoro_core.params.features import Feature
from kokoro_core.params.options import Option


def declarations_of(component: type[ComponentParams]) -> dict[str, str]:
    """Return what a component with its default settings declares; {} if it needs settings.

    Raises:
        ComponentFailure: It raised when it was asked.
    """
    try:
        made = component.model_validate({"type": component.component_name})
    except ValidationError:
        return {}
    return {name: ", ".join(words) for name in _SAID if (words := _said(made, name))}


def _said(component: ComponentParams, name: str) -> list[str]:
    if not hasattr(type(component), name):
        return []
    with attribute_errors_to(component, (), name):
        return list(_SAID[name](declared(component, name, None) or {}, component))


def _names(names: Any, component: ComponentParams) -> Iterator[str]:
    yield from sorted(map(str, names))


def _needs(names: Any, component: ComponentParams) -> Iterator[str]:
    """Yield the side inputs whose form it does not declare; the others are its features."""
    yield from sorted(set(names) - set(declared(component, "features", {})))


def _features(features: Mapping[str, Feature], component: ComponentParams) -> Iterator[str]:
    for name, each in features.items():
        when = "" if each.when == "always" else f", given in {each.when}"
        width = "" if each.width is None else f" of {each.width}"
        yield f"{name} (one {each.kind}{width} a {each.per}{when})"


def _target(target: Feature, component: ComponentParams) -> Iterator[str]:
    if target:
        yield f"the feature of its name (one {target.kind} a phoneme or frame)"


def _options(options: Mapping[str, Option], component: ComponentParams) -> Iterator[str]:
    for name, each in options.items():
        limits = [
            f"{word} {at:g}" for word, at in (("≥", each.low), ("≤", each.high)) if at is not None
        ]
        yield f"{name} {each.default:g}{''.join(f' {limit}' for limit in limits)}"


def _losses(losses: Mapping[str, float | None], component: ComponentParams) -> Iterator[str]:
    for name, weight in losses.items():
        yield name if weight is None else f"{name} × {weight:g}"


_SAID: Mapping[str, Callable[[Any, ComponentParams], Iterator[str]]] = {
    "needs": _needs,
    "features": _features,
    "target": _target,
    "options": _options,
    "losses": _losses,
    "replaces": _names,
}
"""For each declaration how it is put in words."""
