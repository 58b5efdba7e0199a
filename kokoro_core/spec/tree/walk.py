"""Find one's way in a spec: which model a path of a document belongs to, and what nests in what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import ComponentRegistry, Slot
from registry.errors import RegistryError

_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def parse_path(text: str) -> Path:
    """Return the path that a dotted text means: ``encoder.kernels[1]``.

    Raises:
        ValueError: The text is not a dotted path.
    """
    parts: list[str | int] = []
    end = 0
    for match in _PART.finditer(text):
        if match.start() != end or (not parts and text.startswith(".")):
            break
        parts.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    if not parts or end != len(text):
        raise ValueError(f"`{text}` is not a dotted path; write one such as encoder.num_layers.")
    return tuple(parts)


def value_at(value: Any, path: Path) -> Any:
    """Return the value at a path of plain values, or None where there is none.

    An ordered map may be a list of maps with a name each.
    """
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, (list, tuple)) and isinstance(part, str):
            named = [each for each in value if isinstance(each, Mapping) and list(each) == [part]]
            value = named[0][part] if named else None
        elif isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def has_at(value: Any, path: Path) -> bool:
    """Return whether plain values have something at a path, null included."""
    if not path:
        return True
    outer, last = value_at(value, path[:-1]), path[-1]
    if isinstance(outer, Mapping):
        return last in outer
    return isinstance(outer, (list, tuple)) and isinstance(last, int) and last < len(outer)


def model_at(
    root: type[BaseModel], value: Any, path: Path, registry: ComponentRegistry
) -> type[BaseModel] | None:
    """Return the model that a document's value at a path is checked by, or None."""
    model: type[BaseModel] | None = root
    annotation: Any = root
    for part in path:
        value = value_at(value, (part,))
        if isinstance(part, str):
            fields = {} if model is None else model.model_fields
            held = _held_by_name(annotation)
            if part not in fields and held is None:
                return None
            annotation = held if part not in fields else fields[part].annotation
        model = _resolve(_model_in(annotation), value, registry)
    return model


def slot_at(value: Any, path: Path, registry: ComponentRegistry) -> str | None:
    """Return the slot that the component at a path fills, or None where its owner is unknown."""
    end = max((index for index, part in enumerate(path) if isinstance(part, str)), default=None)
    owner = None if end is None else model_at(ModelSpec, value, path[:end], registry)
    field = None if owner is None or end is None else owner.model_fields.get(str(path[end]))
    base = None if field is None else _model_in(field.annotation)
    return base.slot if base is not None and issubclass(base, ComponentParams) else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the first model in an annotation such as ``tuple[EncoderParams, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _held_by_name(annotation: Any) -> Any:
    """Return what a mapping from names holds, such as the adaptors of a spec, or None."""
    inner = [annotation, *get_args(annotation)]  # the mapping may be one of a union
    found = [get_args(each)[1] for each in inner if get_origin(each) in (dict, Mapping)]
    return found[0] if found else None


def _resolve(
    model: type[BaseModel] | None, value: Any, registry: ComponentRegistry
) -> type[BaseModel] | None:
    """Return the component that a value's ``type`` names where the model is a slot's base."""
    if model is None or not issubclass(model, ComponentParams) or not model.defines_slot:
        return model
    try:
        return registry.get(Slot(model.slot, model), value_at(value, ("type",)))
    except (RegistryError, TypeError):
        return None


def components_in(model: BaseModel, path: Path = ()) -> Iterator[tuple[Path, ComponentParams]]:
    """Yield every component below a model, outer ones first, each with its path."""
    for name in type(model).model_fields:
        yield from _components_of(getattr(model, name), (*path, name))


def inner_components(model: BaseModel, path: Path = ()) -> Iterator[tuple[Path, ComponentParams]]:
    """Yield the components that stand in a model itself, not those inside them."""
    last: Path | None = None
    for found, component in components_in(model, path):
        if last is None or found[: len(last)] != last:
            last = found
            yield found, component


def _components_of(value: Any, path: Path) -> Iterator[tuple[Path, ComponentParams]]:
    if isinstance(value, ComponentParams):
        yield path, value
    if isinstance(value, BaseModel):
        yield from components_in(value, path)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _components_of(each, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for index, each in enumerate(value):
            yield from _components_of(each, (*path, index))
