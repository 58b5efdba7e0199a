"""`Mutant`: a component that is broken in one way, and the check that must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kokoro_core.params.component import ComponentParams


@dataclass(frozen=True)
class Mutant:
    """A component that is broken on purpose.

    Attributes:
        name: What is wrong with it, a sentence.
        killed_by: Id of the check that must find it.
        component: The broken class, or None where the settings themselves are broken.
        params: Its settings; their `build` finds the class by the name.
        sound: The settings of the component that it would be without the fault.
    """

    name: str
    killed_by: str
    component: type[Any] | None
    params: ComponentParams
    sound: ComponentParams

    @property
    def slot(self) -> str:
        """The slot of the component."""
        return self.params.slot


def mutants_of(
    sound: Callable[..., ComponentParams], **common: Any
) -> Callable[..., Callable[[type[Any]], Mutant]]:
    """Return a decorator that makes a mutant of a broken class.

    Args:
        sound: The settings class of what is broken.
        **common: Settings of all these mutants.
    """

    def named(name: str, *, killed_by: str, **settings: Any) -> Callable[[type[Any]], Mutant]:
        def made(component: type[Any]) -> Mutant:
            whole = sound(**common, **settings)
            broken = sound(mutant=name, **common, **settings)
            return Mutant(name, killed_by, component, broken, whole)

        return made

    return named


def settings_mutant(
    name: str, *, killed_by: str, sound: ComponentParams, broken: ComponentParams
) -> Mutant:
    """Return a mutant whose settings are what is broken: they say what is not so."""
    return Mutant(name, killed_by, None, broken, sound)
