"""Make settings small without breaking the rules of their own params classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import PositionalEncodingParams
from kokoro_core.spec.problems.problem import Path, dotted
from kokoro_core.spec.rules.nested import Told, with_inner
from kokoro_core.spec.tree.walk import parse_path
from kokoro_core.testing.subjects.process_state import isolated
from kokoro_core.testing.subjects.subject import NUM_HEADS, SIZES, Subject
from kokoro_core.testing.subjects.tiny import NOTHING, shrunk

WIDTHS = range(8, 129, 4)
"""Values of `hidden_dim` that are tried in turn."""

Rule = tuple[Path, str]
"""The path of the setting that breaks a rule, and the message of the rule."""


def fitted(
    params: ComponentParams,
    *,
    variant: str = "",
    first: bool = True,
    keep: Mapping[str, Any] | None = NOTHING,
    own_sizes: Sizes | None = None,
    fixed: Mapping[str, int] = NOTHING,
) -> Subject:
    """Return a subject whose settings are as small as their own rules allow.

    The model around it is the narrowest that the rules allow. If no width will do, the settings
    that the rules name keep the author's values; if that does not help, all settings do.

    Args:
        params: The settings.
        variant: Name of the configuration, as in `tiny`.
        first: Whether it is the component's first configuration.
        keep: Settings that `tiny` names and that stay as they are; None: nothing is made small.
        own_sizes: Sizes of a model that are known to fit the settings as they are.
        fixed: Sizes of the model that `tiny` declares.

    Raises:
        ValueError: The settings break a rule of their own at every width.
        TypeError: A fixed size is none that a model has.
    """
    around = replace(SIZES, **fixed)
    widths = [around.hidden_dim] if "hidden_dim" in fixed else WIDTHS
    name = f"{params.slot}/{params.type}"
    rule: Rule | None = None
    for candidate, sizes in _candidates(params, keep, own_sizes, around, widths):
        broken = broken_rule(candidate, sizes)
        if broken is None:
            note = "" if rule is None else _note(name, rule, sizes, candidate == params)
            return Subject(candidate, variant, sizes, first=first, note=note)
        rule = rule or broken
    smallest = params if keep is None else shrunk(params, keep)
    own_rule = next(_broken_rules(smallest, around), None)
    if own_rule is None:  # it cannot be built at all: the checks will report where
        return Subject(smallest, variant, around, first=first)
    raise ValueError(
        f"`{name}` cannot be made small: {rule_text(own_rule)}; let `tiny` give settings "
        f"that are small and right."
    )


def _candidates(
    params: ComponentParams,
    keep: Mapping[str, Any] | None,
    own_sizes: Sizes | None,
    around: Sizes,
    widths: Iterable[int],
) -> Iterator[tuple[ComponentParams, Sizes]]:
    """Yield settings and sizes, the smallest first."""
    small = [params] if keep is None else list(_ladder(params, keep, around))
    for each in small:
        yield from ((each, replace(around, hidden_dim=width)) for width in widths)
    if own_sizes is not None:
        yield params, own_sizes


def _ladder(
    params: ComponentParams, keep: Mapping[str, Any], around: Sizes
) -> Iterator[ComponentParams]:
    smallest = shrunk(params, keep)
    yield smallest
    rule = broken_rule(smallest, around)
    if rule is not None and rule[0]:
        yield shrunk(params, {**keep, **_keeping(rule[0])})
    yield params


def _keeping(path: Path) -> dict[str, Any]:
    """Return the `keep` of `shrunk` that preserves the setting at a path."""
    name, *rest = path
    return {str(name): _keeping(tuple(rest)) if rest else None}


def broken_rule(params: ComponentParams, sizes: Sizes) -> Rule | None:
    """Return the first rule that a component's own class breaks at these sizes, or None.

    Other exceptions are left to the checks, which report their place.
    """
    with isolated():
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
    """Return the message with which `build` refuses these sizes, or None."""
    try:
        with torch.device("meta"):
            Subject(params, sizes=sizes).built()
    except ValueError as error:
        return (), str(error)
    return None


def rule_text(rule: Rule) -> str:
    """Return a broken rule on one line, with its setting."""
    path, message = rule
    return " ".join(f"{dotted(path)}: {message}".split()) if path else " ".join(message.split())


def _note(name: str, rule: Rule, sizes: Sizes, as_it_is: bool) -> str:
    how = "with its own settings, not made small" if as_it_is else "in a wider model"
    return f"`{name}` is tried {how} (hidden_dim {sizes.hidden_dim}), since {rule_text(rule)}"
