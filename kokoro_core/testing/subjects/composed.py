"""A model around a component, of small parts that are chosen by a number."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from kokoro_core.model.wiring import wiring_of
from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.rules.dimensions import find_conflicts
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.testing.subjects.model_subject import without_width
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.subjects.tiny import declared_params, shrunk, with_positions
from registry import installed_plugins

TRIES = 60
"""Choices of parts that are tried, since not all parts go together."""

WIDTHS = (8, 16, 32)
"""Values of `hidden_dim` that are tried beside that of the component."""

POSITIONS = 4000
"""`max_len`: room for the frames that random weights plan."""

OPTIONAL = 0.3
"""How often a place is filled that may be empty."""

NAME = "composed"
"""Of a part in a place that holds several."""


def composed(subject: Subject, number: int) -> ModelSpec | None:
    """Return the spec of a small model with a component in it, and no other part that is refused.

    Its other parts are drawn from the installed components that can be exported, by the number.

    Args:
        subject: The component, with its settings.
        number: Which model; the same number gives the same one.

    Returns:
        None: No choice of parts that was tried goes with the component.
    """
    draw = random.Random(f"{subject.name} {number}")
    for _ in range(TRIES):
        parts = _chosen(subject, draw)
        for width in dict.fromkeys((subject.sizes.hidden_dim, *WIDTHS)):
            spec = _around(subject, parts, width)
            if next(find_conflicts(spec), None) is None and _speaks_alone(spec):
                return spec
    return None


def _around(subject: Subject, parts: Mapping[str, Any], width: int) -> ModelSpec:
    sizes = subject.sizes
    changed = {"vocab_size": sizes.vocab_size, "pad_id": sizes.pad_id, "mel_dim": sizes.mel_dim}
    whole = {**_EMPTY, **parts, **changed, "hidden_dim": width}
    return _frame().model_copy(update=whole)


_EMPTY: Mapping[str, Any] = {key: {} if row.many else None for key, row in MODEL_SLOTS.items()}


@cache
def _frame() -> ModelSpec:
    """Return a spec whose parts are to be replaced."""
    names = {"name": NAME, "speakers": ["anna", "ben"], "languages": ["de", "en"]}
    nothing = {"audio": None, "frontend": None, "vocoder": None}
    # random weights would end most utterances at their first frame
    never = {"generation.stop_threshold": 1.0}
    return load_spec("small", overrides={**names, **nothing, **never})


def _chosen(subject: Subject, draw: random.Random) -> dict[str, Any]:
    """Return parts by the key of their place, the component in one of its own."""
    own = [key for key, row in MODEL_SLOTS.items() if row.slot.name == subject.slot]
    place = draw.choice(own) if own else ""
    inside = None if own else subject.params
    parts: dict[str, Any] = {}
    for key, row in MODEL_SLOTS.items():
        if key == "aligner" or (key != place and not row.required and draw.random() > OPTIONAL):
            continue
        part = subject.params if key == place else draw.choice(_choices(row.slot.name))
        part = _with_inside(without_width(part), inside)
        parts[key] = {NAME: part} if row.many else part
    return {key: _roomy(part) for key, part in parts.items()}


def _with_inside(part: Any, inside: ComponentParams | None) -> Any:
    """Return a part with a component in its fields that hold one of its slot."""
    for name in () if inside is None else type(part).model_fields:
        held = getattr(part, name)
        if isinstance(held, ComponentParams) and inside is not None and held.slot == inside.slot:
            part = part.model_copy(update={name: inside})
    return part


def _roomy(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _roomy(each) for name, each in part.items()}
    return with_positions(part, POSITIONS)


@cache
def _choices(slot: str) -> tuple[ComponentParams, ...]:
    """Return the small settings of all components of a slot that can be exported."""
    return tuple(_declared(slot))


def _declared(slot: str) -> Iterator[ComponentParams]:
    registry = installed_plugins().components
    for name in registry.names(slot):
        kind = registry.find(slot, name).component
        try:
            small = [
                shrunk(each, kind.tiny()[name]) for name, each in declared_params(kind).items()
            ]
            yield from (each for each in small if each.capabilities.exportable is not False)
        except Exception:  # of a stranger's component, whose own checks report it
            continue


def _speaks_alone(spec: ModelSpec) -> bool:
    """Return whether a graph can be given all that the model needs in speaking."""
    given = wiring_of(spec).given().values()
    return not any(
        each is None or (each.per == "frame" and each.is_required(training=False)) for each in given
    )
