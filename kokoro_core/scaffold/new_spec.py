"""A spec as YAML with every key, its value or default, and what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.tree.dump import dump
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.reference import description_of, fields_of
from registry import ComponentRegistry

WIDTH = 100


def commented(spec: ModelSpec, components: ComponentRegistry) -> str:
    """Return a spec as YAML, with a comment a key; `load_spec` reads it back equal.

    A width that the spec does not set stays null, so that the spec's `hidden_dim` rules it.
    """
    return "".join(f"{line}\n" for line in _lines(spec, components, 0))


def _lines(model: BaseModel, components: ComponentRegistry, depth: int) -> Iterator[str]:
    if isinstance(model, ComponentParams):
        registration = components.registration(type(model))
        named = model.type if registration is None else components.name_of(registration)
        summary = description_of(type(model)).partition("\n")[0]
        yield from _entry("type", _scalar(named), summary, depth)
    for field in fields_of(type(model)):
        name = field["name"]
        if name != "type" or not isinstance(model, ComponentParams):
            value = _stated(model, name)
            words = [field["description"].rstrip("."), *filter(None, [field["constraints"]])]
            yield from _field(name, value, "; ".join(filter(None, words)), components, depth)
    for name, value in (model.model_extra or {}).items():
        yield from _field(name, value, "", components, depth)


def _field(
    name: str, value: Any, comment: str, components: ComponentRegistry, depth: int
) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from _entry(name, "", comment, depth)
        yield from _lines(value, components, depth + 1)
    else:
        yield from _entry(name, _scalar(dump(value, components)), comment, depth)


def _entry(name: str, value: str, comment: str, depth: int) -> Iterator[str]:
    """Yield a key with its comment behind it, or above it where the line would be too long."""
    indent = "  " * depth
    line = f"{indent}{name}:{f' {value}' if value else ''}"
    if not comment:
        yield line
    elif len(line) + len(comment) + 4 <= WIDTH:
        yield f"{line}  # {comment}"
    else:
        yield from (f"{indent}# {part}" for part in wrap(comment, WIDTH - len(indent) - 2))
        yield line


def _stated(model: BaseModel, name: str) -> Any:
    """Return what a spec states: a width that was filled in from outside is not stated."""
    value = getattr(model, name)
    field = type(model).model_fields[name]
    if name in model.model_fields_set or field.is_required():
        return value
    return field.get_default(call_default_factory=True)


def _scalar(value: Any) -> str:
    """Return a value as JSON, which YAML reads alike; a plain word as it is."""
    if isinstance(value, (Mapping, list)) or not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    plain = value.replace("_", "").replace("/", "").replace("-", "").isalpha()
    reserved = value.lower() in {"null", "true", "false", "yes", "no", "on", "off"}
    return value if plain and not reserved else json.dumps(value, ensure_ascii=False)
