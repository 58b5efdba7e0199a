"""pydantic's errors → problems that say what was received and what would work."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from kokoro_core.spec.problems.problem import Path, Problem, dotted
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import model_at
from registry import ComponentRegistry
from registry.text import shorten, suggestion

_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
}
_BOUND = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


def field_problem(
    error: ErrorDetails,
    document: Document,
    registry: ComponentRegistry,
    root: type[BaseModel] = ModelSpec,
) -> Problem:
    """Return the problem of one of pydantic's errors.

    Args:
        error: Of the validation of the document.
        document: Has the values.
        registry: Knows the components.
        root: The model of the whole document.
    """
    path: Path = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_field(path, document, registry, root)
    if kind == "missing":
        return _missing(path, document, registry, root)
    code, message = _explain(kind, error)
    return document.problem(
        code, path, message, received=shown(error["input"]), expected=_expected(kind, error)
    )


def said_of_settings(error: ErrorDetails, known: list[str]) -> str:
    """Return one of pydantic's errors about the settings of one component that no document holds.

    Args:
        error: The error.
        known: The settings of the component.
    """
    path: Path = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        said = "unknown field" + (suggestion(path[-1], known, "'") if len(path) == 1 else "")
    elif error["type"] == "missing":
        said = "is missing"
    else:
        said = _explain(error["type"], error)[1]
    return f"{dotted(path) or 'settings'}: {said}"


def shown(value: Any) -> str:
    """Return a received value as a spec would write it, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return shorten(text)


def _unknown_field(
    path: Path, document: Document, registry: ComponentRegistry, root: type[BaseModel]
) -> Problem:
    model = model_at(root, document.value, path[:-1], registry)
    known = list(model.model_fields) if model is not None else []
    hint = suggestion(path[-1], known, "'") or (f"; known: {', '.join(known)}" if known else "")
    return document.problem(
        "unknown-field",
        path,
        f"unknown field{hint}",
        at_key=True,
        received=shorten(str(path[-1])),
        expected=known,
    )


def _missing(
    path: Path, document: Document, registry: ComponentRegistry, root: type[BaseModel]
) -> Problem:
    model = model_at(root, document.value, path[:-1], registry)
    fields = model.model_fields if model is not None else {}
    nullable = str(path[-1]) in fields and "None" in str(fields[str(path[-1])].annotation)
    message = f"the key '{path[-1]}' is missing{'; write null to leave it out' if nullable else ''}"
    return document.problem("missing", path, message, at_key=True, expected=(str(path[-1]),))


def _explain(kind: str, error: ErrorDetails) -> tuple[str, str]:
    """Return the stable code and the message of an error about a value."""
    explain: Callable[[ErrorDetails], tuple[str, str]] | None = {
        "literal_error": _literal,
        "value_error": _value_error,
        "string_too_short": _too_short,
    }.get(kind)
    got = shown(error["input"])
    if explain is not None:
        return explain(error)
    if kind in _EXPECTED:
        return "wrong-type", f"expected {_EXPECTED[kind]}, got {got}"
    if kind in _BOUND:
        word, key = _BOUND[kind]
        return "out-of-range", f"must be {word} {error['ctx'][key]}, got {got}"
    if kind == "finite_number":
        return "not-finite", f"must be a finite number, got {got}"
    message = error["msg"][:1].lower() + error["msg"][1:]
    if "-" in kind:  # raised by the dispatch in `params`, with what was received in it
        return kind, message
    return "wrong-value", f"{message}, got {got}"


def _expected(kind: str, error: ErrorDetails) -> tuple[str, ...]:
    """Return what would work, where it is a list of names, a kind of value or a bound."""
    if kind in _EXPECTED:
        return (_EXPECTED[kind],)
    if kind in _BOUND:
        word, key = _BOUND[kind]
        return (f"{word} {error['ctx'][key]}",)
    if kind == "literal_error":
        return tuple(_choices(error))
    if kind in ("unknown-type", "no-type", "ambiguous-type"):
        return tuple(error["ctx"]["names"])
    return ()


def _choices(error: ErrorDetails) -> list[str]:
    expected: str = error["ctx"]["expected"]
    return [each.strip("'") for each in expected.replace(" or ", ", ").split(", ")]


def _literal(error: ErrorDetails) -> tuple[str, str]:
    expected = error["ctx"]["expected"]
    hint = suggestion(error["input"], _choices(error), "'")
    return "wrong-value", f"expected {expected}, got {shown(error['input'])}{hint}"


def _value_error(error: ErrorDetails) -> tuple[str, str]:
    return "inconsistent", str(error["ctx"]["error"])


def _too_short(error: ErrorDetails) -> tuple[str, str]:
    return "out-of-range", f"must not be empty, got {shown(error['input'])}"
