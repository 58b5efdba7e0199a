"""A JSON Schema of spec files that contains the components of the installed plugins.

Draft 2020-12. A slot is a list of ``if type is x then the settings of x``, since an editor says of
a failed ``oneOf`` only that nothing matched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.reference import description_of, descriptions_of_fields
from registry import Plugins, Registration

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def schema(plugins: Plugins) -> dict[str, Any]:
    """Return the JSON Schema of the specs that these plugins allow, as values that JSON has.

    It says what a field may be. What holds between fields (widths that meet, heads that divide)
    needs ``kokoro-core check``.
    """
    registrations = sorted(plugins.components, key=lambda each: (each.slot, each.qualified_name))
    describable = [each for each in registrations if _refusal(each) is None]
    root, definitions = _generate([each.component for each in describable])
    for each in registrations:
        definitions[_key(each)] = _component(each, definitions, plugins)
    for base in _slots_in([ModelSpec, *(each.component for each in registrations)]):
        members = [each for each in registrations if each.slot == base.slot]
        definitions[f"slot.{base.slot}"] = _slot(description_of(base), members, plugins)
    whole = _linked({**root, "$defs": definitions})
    reachable = _reachable(whole)
    return {
        "$schema": DIALECT,
        "title": "Kokoro spec",
        **{key: each for key, each in whole.items() if key not in ("$defs", "title")},
        "$defs": {key: each for key, each in sorted(whole["$defs"].items()) if key in reachable},
    }


def _slots_in(models: Iterable[type[BaseModel]]) -> list[type[ComponentParams]]:
    """Return the base class of every slot that a field of these models, or below them, takes."""
    found: list[type[BaseModel]] = []
    waiting = list(models)
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.append(model)
            for field in model.model_fields.values():
                waiting += _models_in(field.annotation)
    return [each for each in found if issubclass(each, ComponentParams) and each.defines_slot]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


class _WithDocs(GenerateJsonSchema):
    """Takes descriptions from the docstrings and leaves out titles, which only repeat names."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        made = super().model_schema(schema)
        model = schema["cls"]
        made["description"] = description_of(model)
        made.pop("title", None)
        described = descriptions_of_fields(model)
        for name, each in made.get("properties", {}).items():
            if name in described:
                each["description"] = described[name]
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _refusal(registration: Registration) -> str | None:
    """Return why a component's settings cannot be described, or None."""
    try:
        models_json_schema([(registration.component, "validation")])
    except Exception as error:  # a plugin's own methods take part
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None


def _generate(components: list[type[BaseModel]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of the spec, and those of its models and of components by class."""
    models: list[type[BaseModel]] = [ModelSpec, *components]
    keys, made = models_json_schema(
        [(each, "validation") for each in models], schema_generator=_WithDocs
    )
    definitions: dict[str, Any] = made["$defs"]
    names = {each: keys[each, "validation"]["$ref"].removeprefix(_REF) for each in models}
    root = definitions.pop(names[ModelSpec])
    return root, {
        _class_key(component): definitions.pop(names[component]) for component in components
    } | definitions


def _class_key(component: type[BaseModel]) -> str:
    return f"{component.__module__}.{component.__qualname__}"


def _key(registration: Registration) -> str:
    """Return the key of a component's definition; a slash would have to be escaped in a $ref."""
    return f"{registration.slot}.{registration.plugin}.{registration.name}"


def _names(registration: Registration, plugins: Plugins) -> list[str]:
    """Return the names that a spec can write for a component."""
    short = registration.name in plugins.components.names(registration.slot)
    return [*([registration.name] if short else []), registration.qualified_name]


def _component(
    registration: Registration, definitions: dict[str, Any], plugins: Plugins
) -> dict[str, Any]:
    """Return the definition of a component: what pydantic made, with every name it goes by."""
    origin = f"{registration.distribution} {registration.version}"
    made = definitions.pop(_class_key(registration.component), None)
    if made is None:
        why = _refusal(registration)
        description = f"{description_of(registration.component)}\n\nSettings not described: {why}"
        return {"type": "object", "description": description, "$comment": origin}
    names = {"enum": _names(registration, plugins), "description": "The name of the component."}
    properties = {**made["properties"], "type": names}
    required = sorted({"type", *made.get("required", [])})
    return {**made, "properties": properties, "required": required, "$comment": origin}


def _slot(description: str, members: list[Registration], plugins: Plugins) -> dict[str, Any]:
    """Return the definition of a slot: a mapping whose ``type`` decides what else is in it."""
    if not members:
        return {"description": f"{description} No installed plugin has one.", "not": {}}
    names = [(name, each) for each in members for name in _names(each, plugins)]
    names.sort(key=lambda pair: ("/" in pair[0], pair[0]))
    return {
        "type": "object",
        "description": description,
        "required": ["type"],
        "properties": {
            "type": {
                "enum": [name for name, _ in names],
                "enumDescriptions": [description_of(each.component) for _, each in names],
            }
        },
        "allOf": [
            {
                "if": {
                    "required": ["type"],
                    "properties": {"type": {"enum": _names(each, plugins)}},
                },
                "then": {"$ref": _REF + _key(each)},
            }
            for each in members
        ],
    }


def _linked(value: Any) -> Any:
    """Return a schema with its slots as references, and null in words that editors explain."""
    if isinstance(value, list):
        return [_linked(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    linked = {key: _linked(each) for key, each in value.items()}
    if "x-slot" in linked:
        linked["$ref"] = f"{_REF}slot.{linked.pop('x-slot')}"
    options = linked.get("anyOf")
    if isinstance(options, list) and len(options) == 2 and options[1] == {"type": "null"}:
        del linked["anyOf"]
        linked |= _or_null(options[0])
    return linked


def _or_null(option: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that also allows null and whose failures are those of the option alone."""
    if "enum" in option:
        return {**_without(option, "type"), "enum": [*option["enum"], None]}
    if "const" in option:
        return {**_without(option, "type", "const"), "enum": [option["const"], None]}
    if isinstance(option.get("type"), str) and option["type"] != "object":
        return {**option, "type": [option["type"], "null"]}
    return {"if": {"not": {"type": "null"}}, "then": option}


def _without(value: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key not in keys}


def _reachable(whole: dict[str, Any]) -> set[str]:
    """Return the definitions that the schema of a spec leads to."""
    found: set[str] = set()
    waiting = [{key: each for key, each in whole.items() if key != "$defs"}]
    while waiting:
        for key in set(_references(waiting.pop())) - found:
            found.add(key)
            waiting.append(whole["$defs"][key])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(_REF)
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
