"""Specs that are right, drawn by hypothesis from whatever components are registered.

Settings are drawn from the fields of the params classes: their types and bounds. What no field says
(heads divide a width, a kernel has a middle) is kept by drawing these settings from few values.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import MODEL_SLOTS
from registry import ComponentRegistry, Plugins, installed_plugins

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

WIDTHS = ("hidden_dim", "mel_dim")
"""Settings that are left to the spec, so that widths meet."""

ODD = ("kernel_size",)
"""Settings that must be odd."""


def specs(plugins: Plugins | None = None, *, largest: int = 9) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of documents that `load_spec` accepts.

    Args:
        plugins: Where the components come from; None: the installed plugins.
        largest: The largest integer that is drawn where a setting has no bound of its own.
    """
    from hypothesis import strategies as st

    registry = (installed_plugins() if plugins is None else plugins).components

    # what YAML lets stand as it is
    written = st.characters(
        exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"
    )

    @st.composite
    def documents(draw: Any) -> dict[str, Any]:
        heads = draw(st.sampled_from([1, 2, 4]))
        vocab_size = draw(st.integers(2, 70))
        required = [slot for slot, row in MODEL_SLOTS.items() if row.required]
        parts = {slot: draw(_any_of(registry, slot, heads, largest)) for slot in required}
        for slot in [each for each in MODEL_SLOTS if each not in required]:
            part = draw(st.none() | _any_of(registry, slot, heads, largest))
            parts |= {} if part is None else {slot: part}
        checkpointing = st.none() | st.fixed_dictionaries({"segments": st.integers(1, 9)})
        return {
            "name": draw(st.text(written, min_size=1, max_size=8)),
            "gradient_checkpointing": draw(checkpointing),
            "vocab_size": vocab_size,
            "pad_id": draw(st.integers(0, vocab_size - 1)),
            "mel_dim": draw(st.integers(1, 20)),
            "hidden_dim": 2 * heads * draw(st.integers(1, 6)),
            **parts,
        }

    return documents()


def params(
    registry: ComponentRegistry, slot: str, name: str, *, num_heads: int = 1, largest: int = 9
) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of the settings of a component, its ``type`` included.

    Args:
        registry: Knows the components.
        slot: The component's slot.
        name: Its name.
        num_heads: What every setting of that name is.
        largest: The largest integer that is drawn where a setting has no bound of its own.
    """
    from hypothesis import strategies as st

    fields = registry.find(slot, name).component.model_fields
    drawn = _fields(registry, fields, num_heads, largest)
    return st.fixed_dictionaries({"type": st.just(name), **drawn[0]}, optional=drawn[1])


def _any_of(registry: ComponentRegistry, slot: str, num_heads: int, largest: int) -> Any:
    from hypothesis import strategies as st

    return st.sampled_from(registry.names(slot)).flatmap(
        lambda name: params(registry, slot, name, num_heads=num_heads, largest=largest)
    )


def _fields(
    registry: ComponentRegistry, fields: Mapping[str, FieldInfo], num_heads: int, largest: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the strategies of the settings that must be there, and of those that may be."""
    from hypothesis import strategies as st

    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, field in fields.items():
        if name == "type" or name in WIDTHS:
            continue
        if name == "num_heads":
            required[name] = st.just(num_heads)
            continue
        drawn = _value(registry, field.annotation, field, num_heads, largest)
        if name in ODD:
            drawn = st.sampled_from([1, 3, 5])
        if drawn is not None:
            (required if field.is_required() else optional)[name] = drawn
    return required, optional


def _value(
    registry: ComponentRegistry, annotation: Any, field: FieldInfo, num_heads: int, largest: int
) -> Any:
    """Return the strategy of a setting, or None for a kind that is left to its default."""
    from hypothesis import strategies as st

    if get_origin(annotation) in (Union, UnionType):
        choices = [
            st.none() if each is NoneType else _value(registry, each, field, num_heads, largest)
            for each in get_args(annotation)
        ]
        return st.one_of([each for each in choices if each is not None])
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation in (int, float):
        return _number(annotation, field, largest)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(registry, annotation, num_heads, largest)
    return st.booleans() if annotation is bool else None


def _model(
    registry: ComponentRegistry, model: type[BaseModel], num_heads: int, largest: int
) -> Any:
    from hypothesis import strategies as st

    if issubclass(model, ComponentParams):
        return _any_of(registry, model.slot, num_heads, largest)
    required, optional = _fields(registry, model.model_fields, num_heads, largest)
    return st.fixed_dictionaries(required, optional=optional)


def _number(kind: type[int] | type[float], field: FieldInfo, largest: int) -> Any:
    from hypothesis import strategies as st

    bounds = {
        key: getattr(each, key)
        for each in field.metadata
        for key in ("ge", "gt", "le", "lt")
        if getattr(each, key, None) is not None
    }
    low = bounds.get("ge", bounds.get("gt", 0))
    high = bounds.get("le", bounds.get("lt", max(low + largest, largest)))
    if kind is int:
        return st.integers(int(low) + ("gt" in bounds), int(high) - ("lt" in bounds))
    return st.floats(
        low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds, allow_subnormal=False
    )
