"""A `ModelSpec` → plain values that `load_spec` reads back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import ComponentRegistry

_ORDERED = {key for key, row in MODEL_SLOTS.items() if row.many and row.takes}
"""Keys with parts whose order counts; in JSON that others write the order of keys does not."""

_WHERE_USED = {
    *("speakers", "languages", "features", "generation", "aligner"),
    *(key for key, row in MODEL_SLOTS.items() if row.many),
}
"""Keys that are written where they are used alone, so that specs of before keep their hash."""


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
    for name in (*type(model).model_fields, *(model.model_extra or ())):
        if name not in plain and _is_written(model, name, only_set):
            plain[name] = dump(getattr(model, name), registry, only_set=only_set)
    for name in _ORDERED & plain.keys() if isinstance(model, ModelSpec) else ():
        plain[name] = [{key: each} for key, each in plain[name].items()]
    return plain


def _is_written(model: BaseModel, name: str, only_set: bool) -> bool:
    if isinstance(model, ModelSpec) and name in _WHERE_USED:
        described = ModelSpec.model_fields[name]
        return bool(getattr(model, name) != described.get_default(call_default_factory=True))
    return not only_set or name in (*model.model_fields_set, *(model.model_extra or ()))
