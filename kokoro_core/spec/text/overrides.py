"""Overrides: change a document before it is checked, so that they get the same checks."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.problems.problem import Path, Problem, SpecError, dotted
from kokoro_core.spec.text.bounds import MAX_BYTES
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.tree.dump import dump
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import model_at, parse_path, value_at
from registry import ComponentRegistry
from registry.text import shorten


@dataclass(frozen=True)
class Override:
    """One change: a path, the new value, and how the user wrote it."""

    path: Path
    value: Any
    origin: str


def overrides_from_mapping(changes: Mapping[str, Any]) -> list[Override]:
    """Return the overrides of a mapping from dotted paths to values.

    Raises:
        SpecError: A key is not a dotted path.
    """
    return [_override(key, value, f"override {key}") for key, value in changes.items()]


def overrides_from_text(settings: Iterable[str], option: str = "--set") -> list[Override]:
    """Return the overrides of texts such as ``encoder.num_layers=4``; values are read as YAML.

    ``frontend.lexicon=@words.txt`` takes the text of a file as it is.

    Args:
        settings: The texts.
        option: What the user wrote before each.

    Raises:
        SpecError: A text has no ``=``, its path is not one, or its value is not YAML or no file.
    """
    overrides, problems = list[Override](), list[Problem]()
    for setting in settings:
        path, equals, text = setting.partition("=")
        origin = f"{option} {setting}"
        try:
            if not equals:
                message = f"`{setting}` has no `=`; write path=value, for example hidden_dim=256"
                raise SpecError([Problem("bad-override", "", message, option)])
            value = _text_of(text[1:], origin) if text.startswith("@") else _value(text, origin)
            overrides.append(_override(path.strip(), value, origin))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return overrides


def _override(path: str, value: Any, origin: str) -> Override:
    try:
        return Override(parse_path(path), value, origin)
    except ValueError as error:
        raise SpecError([Problem("bad-override", "", str(error), origin)]) from None


def _text_of(file: str, origin: str) -> str:
    try:
        with open(file, "rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            message = f"`{file}` has more than the {MAX_BYTES} bytes that a spec may have"
        else:
            return raw.decode("utf-8-sig")
    except OSError as error:
        message = (
            f"`{file}` cannot be read: {error.strerror}; after `@` stands a file, and a text that "
            f"begins with it stands in quotes that the shell leaves"
        )
    except UnicodeDecodeError as error:
        message = f"`{file}` must be UTF-8, but byte {error.start} is not"
    raise SpecError([Problem("bad-override", "", message, origin)])


def _value(text: str, origin: str) -> Any:
    try:
        document = parse(text, origin)
    except SpecError as error:
        raise SpecError([_unreadable(text, origin, error.problems[-1])]) from None
    if document.problems:
        raise SpecError(replace(each, position=None) for each in document.problems)
    return document.value


def _unreadable(text: str, origin: str, problem: Problem) -> Problem:
    """Return the problem of a value that is no YAML: mostly a text that YAML wants in quotes."""
    if problem.code != "syntax":
        return replace(problem, position=None)
    option, _, setting = origin.partition("=")[0].partition(" ")
    quoted = shlex.quote(f"{setting}={json.dumps(text, ensure_ascii=False)}")
    message = (
        f"the value {shorten(text)} cannot be read as YAML ({problem.message}); if it is a text, "
        f"put it into quotes that the shell leaves: {option} {shorten(quoted)}"
    )
    return replace(problem, message=message, position=None)


def apply_overrides(
    document: Document, overrides: Iterable[Override], registry: ComponentRegistry
) -> Document:
    """Return the document with the overrides in it; the given one stays as it is.

    Keys that are missing are made, a component that is missing from its default. A component whose
    ``type`` changes loses its other keys, since they were the other component's; a note says which.
    Types come first, whatever the order, outer ones before inner.
    """
    value, origins, problems = document.value, dict(document.origins), list(document.problems)
    notes, made = list(document.notes), dict(document.made)
    for each in sorted(overrides, key=_types_first):
        before = value
        try:
            value = _with_defaults(value, each.path, registry)
            value, changed = _set(value, each.path, each.value)
        except ValueError as error:
            problems.append(Problem("bad-override", dotted(each.path), str(error), each.origin))
            continue
        origins[changed] = each.origin
        made |= dict.fromkeys(_missing(before, each.path), each.origin)
        if dropped := _dropped(before, value, each.path):
            notes.append(f"{each.origin}: dropped {dropped} of the former component")
    return replace(
        document,
        value=value,
        origins=origins,
        problems=tuple(problems),
        made=made,
        notes=tuple(notes),
    )


def _missing(value: Any, path: Path) -> list[Path]:
    """Return the path of the outermost mapping that an override has to make, if there is one."""
    outer = [path[:end] for end in range(1, len(path))]
    return [each for each in outer if value_at(value, each) is None][:1]


def _dropped(before: Any, after: Any, path: Path) -> str:
    """Return the keys that a component lost because an override changed its ``type``."""
    former, new = value_at(before, path[:-1]), value_at(after, path[:-1])
    if path[-1] != "type" or not isinstance(former, Mapping):
        return ""
    return ", ".join(shorten(str(key)) for key in former if key not in new)


def _types_first(override: Override) -> tuple[bool, int]:
    is_type = override.path[-1] == "type"
    return not is_type, len(override.path) if is_type else 0


def _with_defaults(value: Any, path: Path, registry: ComponentRegistry) -> Any:
    """Return the values with the default of each component on a path that the document leaves out.

    Without it an override of one setting would lack the ``type`` that the default has.
    """
    for end in range(1, len(path)):
        model = model_at(ModelSpec, value, path[: end - 1], registry)
        field = model.model_fields.get(str(path[end - 1])) if model is not None else None
        default = field.default if field is not None else None
        if isinstance(default, ComponentParams) and value_at(value, path[:end]) is None:
            value, _ = _set(value, path[:end], dump(default, registry, only_set=True))
    return value


def _set(tree: Any, path: Path, value: Any) -> tuple[Any, Path]:
    """Return a copy of plain values with one changed, and the path of what is new in it."""
    if not path:
        return value, ()
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        if not isinstance(tree, list) or not head < len(tree):
            raise ValueError(f"there is no item {head} to replace; set the list as a whole")
        item, changed = _set(tree[head], rest, value)
        return [*tree[:head], item, *tree[head + 1 :]], (head, *changed)
    if tree is not None and not isinstance(tree, Mapping):
        raise ValueError(f"'{head}' cannot be set in {tree!r}, which is not a mapping")
    tree = {} if tree is None else tree
    if path == ("type",) and _is_other_type(tree.get("type"), value):
        return {"type": value}, ()
    item, changed = _set(tree.get(head), rest, value)
    return {**tree, head: item}, (head, *changed)


def _is_other_type(old: Any, new: Any) -> bool:
    """Return whether two names are of different components: ``a`` and ``plugin/a`` may be one."""
    if not isinstance(old, str) or not isinstance(new, str) or old == new:
        return bool(old != new)
    both_qualified = "/" in old and "/" in new
    return both_qualified or old.split("/")[-1] != new.split("/")[-1]
