"""What a params model says of itself: its description and its fields, from the class alone."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kokoro_core.params.component import ComponentParams

_SECTION = re.compile(r"^(Attributes|Args|Raises|Returns|Shape|Note|Example|Examples):\s*$", re.M)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): *(.*(?:\n {5,}.*)*)", re.M)
_NAMES: dict[Any, str] = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "true or false",
    types.NoneType: "null",
}
_WORDS = ((at.Ge, "ge", "≥"), (at.Gt, "gt", ">"), (at.Le, "le", "≤"), (at.Lt, "lt", "<"))


def description_of(model: type[BaseModel]) -> str:
    """Return a model's docstring up to its first section."""
    text = inspect.cleandoc(model.__doc__ or "")
    section = _SECTION.search(text)
    return text[: section.start() if section else None].strip()


def fields_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return name, type, default, constraints and description of each field of a model."""
    described = descriptions_of_fields(model)
    return [
        {
            "name": name,
            "type": type_name(field.annotation),
            "required": field.is_required(),
            "default": None
            if field.is_required()
            else _shown(field.get_default(call_default_factory=True)),
            "constraints": ", ".join(_constraints(field)),
            "description": field.description or described.get(name, ""),
        }
        for name, field in model.model_fields.items()
    ]


def descriptions_of_fields(model: type[BaseModel]) -> dict[str, str]:
    """Return the descriptions under ``Attributes:``, those of base classes too."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        _, _, section = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition(
            "Attributes:\n"
        )
        for name, text in _ATTRIBUTE.findall(section):
            found[name] = " ".join(text.split())
    return found


def type_name(annotation: Any) -> str:
    """Return an annotation in the words of a spec: ``integer or null``, ``'pre' or 'post'``."""
    arguments = get_args(annotation)
    if arguments:
        return _generic_name(get_origin(annotation), arguments, str(annotation))
    if isinstance(annotation, type) and issubclass(annotation, ComponentParams):
        return annotation.slot
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return str(_NAMES.get(annotation) or getattr(annotation, "__name__", annotation))


def _generic_name(origin: Any, arguments: tuple[Any, ...], fallback: str) -> str:
    """Return the words for a type with arguments."""
    if origin is Literal:
        return " or ".join(repr(each) for each in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(each) for each in arguments)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin in (tuple, list):
        return f"list of {type_name(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {type_name(arguments[1])}"
    return fallback


def _constraints(field: FieldInfo) -> Iterator[str]:
    for each in field.metadata:
        for kind, name, sign in _WORDS:
            if isinstance(each, kind):
                yield f"{sign} {getattr(each, name)}"
        if isinstance(each, at.MinLen):
            yield f"length ≥ {each.min_length}"
        if isinstance(each, at.MaxLen):
            yield f"length ≤ {each.max_length}"


def _shown(value: Any) -> Any:
    """Return a default as values that JSON has."""
    if isinstance(value, tuple):
        return [_shown(each) for each in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
