"""The immutable table of the components that plugins returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from registry.errors import (
    AmbiguousComponent,
    DuplicateComponent,
    InvalidComponent,
    UnknownComponent,
)
from registry.names import is_built_in, with_article
from registry.slot import ComponentClass, Slot

T = TypeVar("T")


@dataclass(frozen=True)
class Registration:
    """A component and its origin."""

    component: ComponentClass
    plugin: str
    distribution: str
    version: str
    slot: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        for attribute in ("slot", "component_name"):
            value = getattr(self.component, attribute, None)
            if not isinstance(self.component, type) or not isinstance(value, str):
                raise InvalidComponent(
                    f"`{self.plugin}` returned {self.component!r} from `kokoro_components`, which "
                    f"has no `{attribute}`; return params classes that derive from a slot's base."
                )
        object.__setattr__(self, "slot", self.component.slot)
        object.__setattr__(self, "name", self.component.component_name)

    @property
    def qualified_name(self) -> str:
        """The unique name, ``plugin/name``."""
        return f"{self.plugin}/{self.name}"

    @property
    def built_in(self) -> bool:
        """Whether it comes with the framework."""
        return is_built_in(self.distribution)


class ComponentRegistry:
    """All components, by slot and name; immutable after construction.

    A short name registered by two plugins is ambiguous and rejected, except that a built-in
    component keeps its own; the qualified form ``plugin/name`` always works.

    Raises:
        DuplicateComponent: One plugin registered one name of a slot twice.
    """

    def __init__(self, registrations: Iterable[Registration] = ()) -> None:
        self._registrations = tuple(registrations)
        self._by_qualified: dict[tuple[str, str], Registration] = {}
        self._by_short: dict[tuple[str, str], tuple[Registration, ...]] = {}
        self._by_class: dict[ComponentClass, Registration] = {}
        for each in self._registrations:
            self._add(each)

    def _add(self, new: Registration) -> None:
        key = (new.slot, new.qualified_name)
        if key in self._by_qualified:
            raise DuplicateComponent(
                f"`{new.plugin}` registers the {new.slot} `{new.name}` twice; "
                f"a name must be unique."
            )
        self._by_qualified[key] = new
        short = (new.slot, new.name)
        self._by_short[short] = (*self._by_short.get(short, ()), new)
        self._by_class[new.component] = new

    def __iter__(self) -> Iterator[Registration]:
        return iter(self._registrations)

    def __len__(self) -> int:
        return len(self._registrations)

    def get(self, slot: Slot[T], name: str) -> type[T]:
        """Return the class registered under a name.

        If two plugins define slots of the same name, only components of the given slot count.

        Raises:
            UnknownComponent: The slot has no such component.
            AmbiguousComponent: More than one plugin has it; the error names them.
            InvalidComponent: It does not derive from the slot's base class.
        """
        candidates = self._candidates(slot.name, name)
        fitting = [each for each in candidates if issubclass(each.component, slot.base)]
        found = self._only(slot.name, name, fitting or candidates).component
        if not issubclass(found, slot.base):
            raise InvalidComponent(
                f"`{name}` is registered as {with_article(slot.name)} but does not derive from "
                f"`{slot.base.__name__}`."
            )
        return found

    def find(self, slot: str, name: str) -> Registration:
        """Return the registration under a short or a qualified name.

        Raises:
            UnknownComponent: The slot has no such component.
            AmbiguousComponent: More than one plugin has it; the error names them.
        """
        return self._only(slot, name, self._candidates(slot, name))

    def _candidates(self, slot: str, name: str) -> list[Registration]:
        if (slot, name) in self._by_qualified:
            return [self._by_qualified[slot, name]]
        return list(self._by_short.get((slot, name), ()))

    def _only(self, slot: str, name: str, found: list[Registration]) -> Registration:
        if not found:
            raise UnknownComponent(slot, name, self.names(slot), self.slots_of(name))
        preferred = _preferred(found)
        if preferred is None:
            owners = [(f"{e.distribution} {e.version}", e.qualified_name) for e in found]
            raise AmbiguousComponent(slot, name, sorted(owners))
        return preferred

    def registration(self, component: ComponentClass) -> Registration | None:
        """Return the registration of a class, or None if no plugin registered it."""
        return self._by_class.get(component)

    def slots_of(self, name: object) -> tuple[str, ...]:
        """Return the slots that have a component of this short or qualified name, sorted."""
        return tuple(sorted({e.slot for e in self if name in (e.name, e.qualified_name)}))

    def slots(self) -> tuple[str, ...]:
        """Return the slots that have a component, sorted."""
        return tuple(sorted({each.slot for each in self._registrations}))

    def names(self, slot: str) -> tuple[str, ...]:
        """Return the names that a spec can use in a slot: short, or qualified where they clash."""
        return tuple(sorted(self.name_of(each) for each in self if each.slot == slot))

    def name_of(self, registration: Registration) -> str:
        """Return the shortest unambiguous name of a registration."""
        found = self._by_short[registration.slot, registration.name]
        short = _preferred(list(found)) is registration
        return registration.name if short else registration.qualified_name


def _preferred(found: list[Registration]) -> Registration | None:
    """Return the registration that a short name means: the only one, or the only built-in one."""
    if len(found) == 1:
        return found[0]
    built_in = [each for each in found if each.built_in]
    return built_in[0] if len(built_in) == 1 else None
