"""Make settings small without breaking the rules that they have themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import PositionalEncodingParams
from kokoro_core.spec.problems.problem import Path, dotted
from kokoro_core.spec.rules.nested import Told, with_inner
from kokoro_core.spec.tree.walk import parse_path
from kokoro_core.testing.subjects.process_state import settled
from kokoro_core.testing.subjects.subject import NUM_HEADS, SIZES, Subject
from kokoro_core.testing.subjects.tiny import NOTHING, shrunk

WIDTHS = range(8, 129, 4)
"""Widths of the model around a component that are tried, one after the other."""

Rule = tuple[Path, str]
"""Where a rule is broken, and what the rule says."""


def fitted(
    params: ComponentParams,
    *,
    variant: str = "",
    first: bool = True,
    keep: Mapping[str, Any] | None = NOTHING,
    own_sizes: Sizes | None = None,
) -> Subject:
    """Return a subject of settings that are as small as their own rules allow.

    The model around it is the narrowest that the rules allow. Where none will do, the settings that
    the rules name stay as the author has them, and where that does not help, all of them.

    Args:
        params: The settings.
        variant: Which of the component's small configurations they are.
        first: Whether it is the first of them.
        keep: What `tiny` says, which is left alone; None: nothing is made small.
        own_sizes: Sizes of a model that are known to be right for the settings as they are.

    Raises:
        ValueError: The settings break a rule of their own at every width.
    """
    name = f"{params.slot}/{params.type}"
    rule: Rule | None = None
    for candidate, sizes in _tries(params, keep, own_sizes):
        broken = broken_rule(candidate, sizes)
        if broken is None:
            note = "" if rule is None else _note(name, rule, sizes, candidate == params)
            return Subject(candidate, variant, sizes, first=first, note=note)
        rule = rule or broken
    smallest = params if keep is None else shrunk(params, keep)
    own_rule = next(_broken_rules(smallest, SIZES), None)
    if own_rule is None:  # it cannot be built at all: the checks will say where
        return Subject(smallest, variant, first=first)
    raise ValueError(
        f"`{name}` cannot be made small: {said(own_rule)}; let `tiny` give settings that are small "
        f"and right."
    )


def _tries(
    params: ComponentParams, keep: Mapping[str, Any] | None, own_sizes: Sizes | None
) -> Iterator[tuple[ComponentParams, Sizes]]:
    """Yield settings and sizes, the smallest first."""
    small = [params] if keep is None else list(_ladder(params, keep))
    for each in small:
        yield from ((each, replace(SIZES, hidden_dim=width)) for width in WIDTHS)
    if own_sizes is not None:
        yield params, own_sizes


def _ladder(params: ComponentParams, keep: Mapping[str, Any]) -> Iterator[ComponentParams]:
    smallest = shrunk(params, keep)
    yield smallest
    rule = broken_rule(smallest, SIZES)
    if rule is not None and rule[0]:
        yield shrunk(params, {**keep, **keeping(rule[0])})
    yield params


def keeping(path: Path) -> dict[str, Any]:
    """Return what `shrunk` must keep for the setting at a path to stay."""
    name, *rest = path
    return {str(name): keeping(tuple(rest)) if rest else None}


def broken_rule(params: ComponentParams, sizes: Sizes) -> Rule | None:
    """Return the first rule of a component's own that is broken at these sizes, or None.

    What else it raises is left to the checks, which say where.
    """
    with settled():
        try:
            return next(_broken_rules(params, sizes), None) or _refusal(params, sizes)
        except Exception:
            return None


def _broken_rules(params: ComponentParams, sizes: Sizes) -> Iterator[Rule]:
    if isinstance(params, PositionalEncodingParams):
        stack = params.check_stack(hidden_dim=sizes.hidden_dim, num_heads=NUM_HEADS)
        yield from ((parse_path(field), message) for field, message in stack)
    for told in with_inner(Told((), params, sizes, ())):
        for field, message in told.component.cross_check(told.sizes):
            yield (*told.path, *(parse_path(field) if field else ())), message


def _refusal(params: ComponentParams, sizes: Sizes) -> Rule | None:
    """Return with what `build` refuses these sizes, or None."""
    try:
        with torch.device("meta"):
            Subject(params, sizes=sizes).built()
    except ValueError as error:
        return (), str(error)
    return None


def said(rule: Rule) -> str:
    """Return a broken rule on one line."""
    path, message = rule
    return " ".join(f"{dotted(path)}: {message}".split()) if path else " ".join(message.split())


def _note(name: str, rule: Rule, sizes: Sizes, as_it_is: bool) -> str:
    how = "with its own settings, not made small" if as_it_is else "in a wider model"
    return f"`{name}` is tried {how} (hidden_dim {sizes.hidden_dim}), since {said(rule)}"
