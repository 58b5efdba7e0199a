"""Check a document: every problem of it in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from types import new_class
from typing import Any

from pydantic import ValidationError

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.params.sizes import MAX_PARAMETERS
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.problems.problem import MAX_PROBLEMS, Path, Problem, SpecError, dotted
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.pydantic_errors import field_problem
from kokoro_core.spec.rules.dimensions import fill_widths, find_conflicts
from kokoro_core.spec.rules.limits import find_excess
from kokoro_core.spec.rules.needs import unmet_needs
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.migrations import old_spec_problems
from kokoro_core.spec.text.other_kinds import kind_of_mapping
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in, model_at, value_at
from registry import ComponentRegistry, Plugins
from registry.text import closest

_MAX_PRUNINGS = 8


def check(document: Document, plugins: Plugins, max_parameters: int = MAX_PARAMETERS) -> ModelSpec:
    """Return the spec that a document describes, its widths solved.

    Args:
        document: The text of the spec, or the values of one made in Python.
        plugins: Where its components come from.
        max_parameters: How large a model may be.

    Raises:
        SpecError: It has problems: in the text, in a field, or between components.
    """
    registry = plugins.components
    if not isinstance(document.value, Mapping):
        message = "a spec is a mapping with keys such as 'encoder' and 'decoder'"
        if document.value is None and not document.problems:
            message = f"there is nothing in it; {message}"
        raise SpecError([*document.problems, document.problem("wrong-type", (), message)])
    if kind := kind_of_mapping(document.value):
        raise SpecError([document.problem("not-a-spec", (), f"this is {kind}")])
    if old := old_spec_problems(document, plugins):
        raise SpecError([*document.problems, *old])
    problems = [*document.problems]
    spec, errors = _validate(document.value, registry)
    more = len(problems) + len(errors) - MAX_PROBLEMS
    errors = errors[:MAX_PROBLEMS]
    said = {each.path for each in problems}
    problems += [
        _with_plugin_hint(field_problem(each, document, registry), each["input"], plugins)
        for each in errors
        if not _said_already(tuple(each["loc"]), said)
    ]
    bad = [tuple(each["loc"]) for each in errors]
    if spec is None and more <= 0:
        spec = _validate_without(document.value, bad, registry)
    if spec is not None:
        found = (*find_conflicts(spec), *find_excess(spec, max_parameters))
        causes = _causes(errors, document, registry)
        violations = [each for each in found if not _depends_on(each, causes)]
        problems += [
            _violation_problem(_with_plugin(each, spec, registry), document) for each in violations
        ]
    problems += unmet_needs(_needs(document.value), document, plugins)
    if problems or spec is None:
        raise SpecError(_first(sorted(problems, key=_in_order), document, more))
    return fill_widths(spec)


def _first(problems: list[Problem], document: Document, more: int) -> list[Problem]:
    """Return as many problems as a reader can use, and how many there are beside them."""
    if more <= 0:
        return problems
    message = f"there are {more} more problems, which are not listed; mend these first"
    return [*problems[:MAX_PROBLEMS], document.problem("too-many-problems", (), message)]


def _validate(value: Any, registry: ComponentRegistry) -> tuple[ModelSpec | None, list[Any]]:
    try:
        return ModelSpec.model_validate(value, context={"registry": registry}), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _validate_without(
    value: Any, bad: Iterable[Path], registry: ComponentRegistry
) -> ModelSpec | None:
    """Return the spec without its bad values, so that what is left can be checked as a whole."""
    for _ in range(_MAX_PRUNINGS):
        for path in bad:
            value = _without(value, path[:-1] if path[-1:] == ("type",) else path)
        missing = [slot for slot, row in MODEL_SLOTS.items() if row.required and slot not in value]
        spec, errors = _validate({**value, **{slot: _stand_in(slot) for slot in missing}}, registry)
        if spec is not None:
            return spec
        bad = [tuple(each["loc"]) for each in errors]
    return None


@cache
def _stand_in(slot: str) -> ComponentParams:
    """Return a component that stands for one that is missing or wrong; it is never built.

    Each slot's is made once, since pydantic evaluates annotations where a class is made.
    """
    base = MODEL_SLOTS[slot].slot.base
    members = {"__module__": __name__, "build": _refuse_to_build}
    stand_in: type[ComponentParams] = new_class(
        "StandIn", (base,), None, lambda namespace: namespace.update(members)
    )
    return stand_in(type="unknown")


def _refuse_to_build(*_: Any, **__: Any) -> Any:
    raise AssertionError("a component that stands for a wrong one is never built")


def _without(value: Any, path: Path) -> Any:
    """Return a copy of plain values without the one at a path."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(value, Mapping) and head in value:
        kept = {key: each for key, each in value.items() if key != head}
        return {**kept, head: _without(value[head], rest)} if rest else kept
    if isinstance(value, list) and isinstance(head, int) and head < len(value):
        middle = [_without(value[head], rest)] if rest else []
        return [*value[:head], *middle, *value[head + 1 :]]
    return value


def _causes(errors: Iterable[Any], document: Document, registry: ComponentRegistry) -> list[Path]:
    """Return the places of bad values; an unknown key counts as the one that it misspells."""
    causes = []
    for error in errors:
        path: Path = tuple(error["loc"])
        if error["type"] == "extra_forbidden":
            meant = _meant(path, document.value, registry)
            if meant is not None:
                causes.append((*path[:-1], meant))
        else:
            causes.append(path)
    return causes


def _meant(path: Path, value: Any, registry: ComponentRegistry) -> str | None:
    """Return the field that an unknown key misspells, if the document does not have it as well."""
    model = model_at(ModelSpec, value, path[:-1], registry)
    meant = closest(path[-1], list(model.model_fields) if model is not None else [])
    return None if meant is None or meant in value_at(value, path[:-1]) else meant


def _depends_on(violation: RuleViolation, bad: Iterable[Path]) -> bool:
    """Return whether a violation may come from a value that was left out of the second check.

    What was left out has its default there, which never makes a model too large.
    """
    if violation.code == "half-regulated":  # it matters whether the keys are there, not what is in
        return any(path in violation.causes for path in bad)
    return any(_decides(path, cause) for path in bad for cause in violation.causes)


def _decides(bad: Path, cause: Path) -> bool:
    """Return whether one path is inside the other; a bad ``type`` takes its component with it."""
    bad = bad[:-1] if bad[-1:] == ("type",) else bad
    shared = min(len(bad), len(cause))
    return bad[:shared] == cause[:shared]


def _with_plugin(
    violation: RuleViolation, spec: ModelSpec, registry: ComponentRegistry
) -> RuleViolation:
    """Name the plugin and its version where a component failed; the rules know no registry."""
    component = dict(components_in(spec)).get(violation.path)
    if violation.code != "plugin-raised" or component is None:
        return violation
    owner, plugin = owner_of(type(component)), owner_of(type(component), registry)
    return replace(violation, message=violation.message.replace(owner, plugin))


def _violation_problem(violation: RuleViolation, document: Document) -> Problem:
    other = document.place(violation.other) if violation.other is not None else ""
    return document.problem(
        violation.code, violation.path, violation.message.replace("{other}", other)
    )


def _with_plugin_hint(problem: Problem, got: Any, plugins: Plugins) -> Problem:
    """Add to an unknown type the plugin that would have brought it, if it is not loaded."""
    if problem.code != "unknown-type":
        return problem
    hint = plugins.not_loaded(got if isinstance(got, str) else "")
    return replace(problem, message=f"{problem.message}; {hint}") if hint else problem


def _said_already(path: Path, said: set[str]) -> bool:
    """Return whether the text itself has a problem at a path or above it."""
    return any(dotted(path[:end]) in said for end in range(1, len(path) + 1))


def _needs(value: Mapping[str, Any]) -> dict[str, str]:
    needs = value.get("plugins")
    if not isinstance(needs, Mapping):
        return {}
    return {name: each for name, each in needs.items() if isinstance(each, str)}


def _in_order(problem: Problem) -> tuple[int, int]:
    if problem.position is None:
        return (1 << 31, 0)
    return problem.position.line, problem.position.column
