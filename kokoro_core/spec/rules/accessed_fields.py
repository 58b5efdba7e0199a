"""Which of its fields a component looks at when it is asked for something.

A rule of a component may be written by anyone, so what it depends on is watched, not declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import getattr_static
from types import FunctionType
from typing import Any

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams


def accessed_fields(component: ComponentParams, ask: Callable[[Any], Any]) -> frozenset[str]:
    """Return the fields that a question to a component reads; all where that cannot be told."""
    everything = frozenset(type(component).model_fields)
    watched = _Watched(component)
    try:
        answer = ask(watched)
        if isinstance(answer, Iterable):
            list(answer)  # a generator reads while it runs
    except Exception:
        return everything
    return frozenset(object.__getattribute__(watched, "_seen"))


class _Watched:
    """A component that notes the fields that are read, in its own methods too."""

    def __init__(self, component: ComponentParams) -> None:
        object.__setattr__(self, "_component", component)
        object.__setattr__(self, "_seen", set[str]())

    def __getattribute__(self, name: str) -> Any:
        component = object.__getattribute__(self, "_component")
        seen: set[str] = object.__getattribute__(self, "_seen")
        kind = type(component)
        if name == "__class__":  # `isinstance` and `super` take this for the component
            return kind
        if name in kind.model_fields:
            seen.add(name)
        elif hasattr(BaseModel, name):  # it may look at any of them: `model_dump`, `__iter__` …
            seen.update(kind.model_fields)
        else:
            found = getattr_static(kind, name, None)
            if isinstance(found, (FunctionType, property)):
                return found.__get__(self, kind)
        return getattr(component, name)
