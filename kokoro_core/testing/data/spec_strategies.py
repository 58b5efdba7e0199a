"""Valid specs, drawn by hypothesis from the registered components.

Settings are drawn from the fields of the params classes: their types and bounds. Rules that no
field states (heads divide a width, a kernel is odd) are kept by drawing those settings from few
values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.rules.part_names import names_a_part
from registry import ComponentRegistry, Plugins, installed_plugins

OF_THE_SPEC = ("type", "hidden_dim", "width", "mel_dim", "reads")
"""Fields that are not drawn: the name, widths, which the spec sets so that they meet, and what some
other part must give."""

_HELD = {"fraction": 1.0, "guided_heads": 0}
"""Settings with the one value that fits any number of heads and any width of a head."""

_NAMES = {
    "conditioners": ("tone", "accent"),
    "token_adaptors": ("pitch", "energy"),
    "frame_adaptors": ("loudness", "breath"),
}
"""Names of parts in keys that hold several; a name may stand in one of them alone.

No part asks for what these conditioners make, whose width it would have to share.
"""

# characters that YAML takes unquoted and unescaped
_PLAIN = st.characters(
    exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"
)


def specs(plugins: Plugins | None = None, *, largest: int = 9) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of documents that `load_spec` accepts.

    Args:
        plugins: Where the components come from; None: the installed plugins.
        largest: The largest integer that is drawn where a setting has no bound of its own.
    """
    registry = (installed_plugins() if plugins is None else plugins).components

    @st.composite
    def documents(draw: Any) -> dict[str, Any]:
        heads = draw(st.sampled_from([1, 2, 4]))
        vocab_size = draw(st.integers(2, 70))
        settings = _Settings(registry, heads, largest)
        required = {
            slot: settings.of_slot(slot) for slot, row in MODEL_SLOTS.items() if row.required
        }
        optional = {
            key: settings.by_name(key) if row.many else settings.of_slot(key)
            for key, row in MODEL_SLOTS.items()
            if not row.required and registry.names(row.slot.name)
        }
        checkpointing = st.none() | st.fixed_dictionaries({"segments": st.integers(1, 9)})
        return {
            "name": draw(st.text(_PLAIN, min_size=1, max_size=8)),
            "gradient_checkpointing": draw(checkpointing),
            "vocab_size": vocab_size,
            "pad_id": draw(st.integers(0, vocab_size - 1)),
            "mel_dim": draw(st.integers(2, 20)),
            "hidden_dim": 2 * heads * draw(st.integers(1, 6)),
            "speakers": ["anna", "ben"],
            "languages": ["de", "en"],
            **draw(st.fixed_dictionaries(required, optional=optional)),
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
        num_heads: The value of every setting of that name.
        largest: The largest integer that is drawn where a setting has no bound of its own.
    """
    return _Settings(registry, num_heads, largest).of_component(slot, name)


@dataclass(frozen=True)
class _Settings:
    """Strategies of settings; the attributes are those of `params`."""

    registry: ComponentRegistry
    num_heads: int
    largest: int

    def of_slot(self, slot: str) -> SearchStrategy[dict[str, Any]]:
        names = st.sampled_from(self.registry.names(slot))
        return names.flatmap(lambda name: self.of_component(slot, name))

    def by_name(self, key: str) -> SearchStrategy[dict[str, Any]]:
        """Return a strategy of a key that holds components by name, in any order."""
        component = self.of_slot(MODEL_SLOTS[key].slot.name)
        return st.dictionaries(st.sampled_from(_NAMES[key]), component, min_size=1)

    def of_component(self, slot: str, name: str) -> SearchStrategy[dict[str, Any]]:
        fields = self.registry.find(slot, name).component.model_fields
        return self._of_fields(fields, {"type": st.just(name)})

    def _of_fields(
        self, fields: Mapping[str, FieldInfo], required: dict[str, Any]
    ) -> SearchStrategy[dict[str, Any]]:
        optional: dict[str, Any] = {}
        for name, field in fields.items():
            drawn = self._of_field(name, field)
            if name not in OF_THE_SPEC and drawn is not None:
                # Not every encoder gives the part that a default names.
                named = names_a_part(field.annotation, field.metadata)
                needed = field.is_required() or named or name in ("num_heads", *_HELD)
                (required if needed else optional)[name] = drawn
        return st.fixed_dictionaries(required, optional=optional)

    def _of_field(self, name: str, field: FieldInfo) -> Any:
        if name == "num_heads":
            return st.just(self.num_heads)
        if name.endswith("kernel_size"):
            return st.sampled_from([1, 3, 5])
        if name in _HELD:
            return st.just(_HELD[name])
        return self._of_type(field.annotation, field.metadata)

    def _of_type(self, annotation: Any, bounds: list[Any]) -> Any:
        """Return the strategy of a type, or None for one that is left to the field's default."""
        if get_origin(annotation) in (Union, UnionType):
            choices = [self._of_type(each, bounds) for each in get_args(annotation)]
            return st.one_of([each for each in choices if each is not None])
        if get_origin(annotation) is Literal or annotation in (bool, NoneType):
            return st.from_type(annotation)
        if annotation in (int, float):
            return self._of_number(annotation, bounds)
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        if issubclass(annotation, ComponentParams):
            return self.of_slot(annotation.slot)
        return self._of_fields(annotation.model_fields, {})

    def _of_number(self, kind: type[int] | type[float], bounds: list[Any]) -> Any:
        given = {
            key: getattr(each, key)
            for each in bounds
            for key in ("ge", "gt", "le", "lt")
            if hasattr(each, key)
        }
        low = given.get("ge", given.get("gt", 0))
        high = given.get("le", given.get("lt", max(low, 0) + self.largest))
        above, below = "gt" in given, "lt" in given
        if kind is int:
            step = next((each.multiple_of for each in bounds if hasattr(each, "multiple_of")), 1)
            first, last = -(-(int(low) + above) // step), (int(high) - below) // step
            return st.integers(first, max(first, last)).map(lambda times: times * step)
        return st.floats(low, high, exclude_min=above, exclude_max=below, allow_subnormal=False)
