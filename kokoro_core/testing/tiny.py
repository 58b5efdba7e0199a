"""Small configurations of a component, to be tried a thousand times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from kokoro_core.spec.params import ComponentParams
from registry import ComponentRegistry, installed_plugins

SMALL: Mapping[str, Any] = {
    "num_layers": 2,
    "num_heads": 2,
    "ff_dim": 20,
    "channels": 8,
    "kernel_size": 3,
    "max_len": 64,
}
"""What settings of usual names are made, unless `tiny` says another value or the field refuses."""


def tiny_params(
    kind: type[ComponentParams], registry: ComponentRegistry | None = None
) -> dict[str, ComponentParams]:
    """Return the small configurations of a component by variant.

    Raises:
        ValidationError: `tiny` gives settings that the component refuses.
    """
    known = installed_plugins().components if registry is None else registry
    return {
        variant: shrunk(
            kind.model_validate({"type": kind.component_name, **settings}, context=_given(known)),
            frozenset(settings),
        )
        for variant, settings in kind.tiny().items()
    }


def shrunk(params: ComponentParams, keep: frozenset[str] = frozenset()) -> ComponentParams:
    """Return the params with the settings of usual names made small and no dropout."""
    changed: ComponentParams = with_dropout(_shrunk(params, keep), 0.0)
    return changed


def with_dropout(params: Any, share: float) -> Any:
    """Return the params with all settings set whose names end with ``dropout``, nested ones too."""
    return _changed(params, lambda name: share if name.endswith("dropout") else None)


def has_dropout(params: BaseModel) -> bool:
    """Return whether there is a setting whose name ends with ``dropout``."""
    return bool(with_dropout(params, 0.0) != with_dropout(params, 0.5))


def _shrunk(params: Any, keep: frozenset[str]) -> Any:
    return _changed(params, lambda name: None if name in keep else SMALL.get(name))


def _changed(params: Any, wanted: Any) -> Any:
    """Return a model with the fields changed that `wanted` gives a value for, at every depth."""
    for name in type(params).model_fields:
        old = getattr(params, name)
        new = _changed(old, wanted) if isinstance(old, BaseModel) else wanted(name)
        if new is not None and new != old and type(new) is type(old):
            params = _with(params, name, new)
    return params


def _with(params: Any, name: str, value: Any) -> Any:
    """Return the model with a field changed, or as it is if the field refuses the value."""
    values = {each: getattr(params, each) for each in type(params).model_fields}
    try:
        return type(params).model_validate({**values, name: value})
    except ValidationError:
        return params


def _given(registry: ComponentRegistry) -> dict[str, Any]:
    return {"registry": registry}
