"""A `ModelSpec` → plain values that `load_spec` reads back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams
from registry import ComponentRegistry


def dump(value: Any, registry: ComponentRegistry, *, only_set: bool = False) -> Any:
    """Return models as dicts, with the qualified name of each component as its ``type``.

    Args:
        value: A model, or a value of one of its fields.
        registry: Knows the qualified names; a component that is not in it stays as it is.
        only_set: Leave out the fields that took their default or inherited their width.
    """
    if isinstance(value, ComponentParams) and registry.registration(type(value)) is None:
        return value
    if isinstance(value, BaseModel):
        return _model(value, registry, only_set)
    if isinstance(value, Mapping):
        return {key: dump(each, registry, only_set=only_set) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [dump(each, registry, only_set=only_set) for each in value]
    return value


def _model(model: BaseModel, registry: ComponentRegistry, only_set: bool) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    registration = registry.registration(type(model))
    if registration is not None:
        plain["type"] = registration.qualified_name
    for name in type(model).model_fields:
        if name not in plain and (not only_set or name in model.model_fields_set):
            plain[name] = dump(getattr(model, name), registry, only_set=only_set)
    return plain
