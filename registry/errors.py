"""The errors of the registry."""

from __future__ import annotations

from collections.abc import Iterable

from registry.names import with_article
from registry.text import suggestion


class RegistryError(Exception):
    """The base class of all errors of the registry."""


class UnknownComponent(RegistryError):
    """No plugin registered a component of that name in that slot."""

    def __init__(
        self, slot: str, name: str, available: Iterable[str], elsewhere: Iterable[str] = ()
    ) -> None:
        self.slot, self.name, self.available = slot, name, tuple(available)
        known = ", ".join(f"`{each}`" for each in self.available) or "none"
        hint = in_other_slots(elsewhere) or suggestion(name, self.available) or ";"
        super().__init__(f"`{name}` is not a registered {slot}{hint} available: {known}.")


class AmbiguousComponent(RegistryError):
    """Two plugins registered the same name in a slot."""

    def __init__(self, slot: str, name: str, owners: Iterable[tuple[str, str]]) -> None:
        self.slot, self.name, self.owners = slot, name, tuple(owners)
        who = " and ".join(f"`{dist}` (as `{full}`)" for dist, full in self.owners)
        super().__init__(
            f"`{name}` is {with_article(slot)} of more than one plugin: {who}; write the "
            f"qualified name."
        )


class DuplicateComponent(RegistryError):
    """A plugin registered the same name of a slot twice."""


class InvalidComponent(RegistryError):
    """A plugin returned something that is not a component."""


class InvalidPlugin(RegistryError):
    """A plugin violated the contract of the hooks."""


class InvalidPolicy(RegistryError):
    """A setting that controls which plugins may be imported has an invalid value."""


class AmbiguousName(RegistryError):
    """Two plugins have a spec or a command of the same name."""

    def __init__(self, kind: str, name: str, qualified: Iterable[str]) -> None:
        self.kind, self.name, self.qualified = kind, name, tuple(qualified)
        which = " and ".join(f"`{each}`" for each in self.qualified)
        super().__init__(
            f"`{name}` is a {kind} of more than one plugin; write its qualified name: {which}."
        )


class UnknownNamedSpec(RegistryError):
    """No plugin ships a spec of that name; a hint may list plugins that are not loaded."""

    def __init__(self, name: str, available: Iterable[str], hint: str = "") -> None:
        self.name, self.available = name, tuple(available)
        known = ", ".join(f"`{each}`" for each in self.available) or "none"
        super().__init__(
            f"`{name}` is not a named spec{suggestion(name, self.available) or ';'} "
            f"available: {known}{hint and f'; {hint}'}."
        )


def in_other_slots(slots: Iterable[str]) -> str:
    """Return ", but …;" for a name that exists in other slots, or an empty text."""
    named = " and ".join(with_article(each) for each in slots)
    return f", but there is {named} of that name;" if named else ""
