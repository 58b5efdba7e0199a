"""Put a call of ours around methods of modules, and take it off again.

A method is wrapped on the class that defines it and the wrapper asks whose call it is, for a module
may work through copies of itself: a decoder steps with views of its layers whose weights are laid
out in another way, a positional encoding gives a view for one pass. A copy has all that its
original has in its `__dict__`, so a wrapper there would lead from the copy back to the original.
What is on an instance already is wrapped there.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any, NamedTuple

from torch import nn


class EntryPoint(NamedTuple):
    """A method to watch: the slot's name, the instance and the method's name."""

    slot: str
    module: nn.Module
    name: str


Call = Callable[[EntryPoint, Callable[[], Any]], Any]
"""Takes whose call it is and what makes it."""


@contextmanager
def wrapped(targets: Iterable[EntryPoint], call: Call) -> Iterator[None]:
    """Hand each call of these methods to `call` within a block; afterwards all is as it was.

    Raises:
        RuntimeError: Something was put over a wrapper and is still there at the end.
    """
    on_classes: dict[tuple[type, str], dict[int, EntryPoint]] = defaultdict(dict)
    with ExitStack() as undo:
        for target in targets:
            definer = _definer(type(target.module), target.name)
            if target.name in vars(target.module) or definer is None:
                undo.enter_context(_on_instance(target, call))
            else:
                on_classes[definer, target.name][_identity(target.module)] = target
        for (definer, name), known in on_classes.items():
            undo.enter_context(_on_class(definer, name, known, call))
        yield


def _identity(module: nn.Module) -> int:
    """Return what a module and its shallow copies have in common: the table of parameters."""
    return id(module._parameters)


def _definer(kind: type, name: str) -> type | None:
    """Return the class whose function a method is, or None if it is not a plain function."""
    for each in kind.__mro__:
        if name in vars(each):
            return each if isinstance(vars(each)[name], FunctionType) else None
    return None


@contextmanager
def _on_class(definer: type, name: str, known: dict[int, EntryPoint], call: Call) -> Iterator[None]:
    original = vars(definer)[name]

    @functools.wraps(original)
    def watched(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        target = known.get(_identity(self))
        # A method that calls its own of a base class is one call, not two.
        if target is None or _definer(type(self), name) is not definer:
            return original(self, *args, **kwargs)
        return call(target, functools.partial(original, self, *args, **kwargs))

    setattr(definer, name, watched)
    try:
        yield
    finally:
        found = vars(definer).get(name)
        setattr(definer, name, original)
        if found is not watched:
            slots = dict.fromkeys(target.slot for target in known.values())
            raise _replaced_error(name, ", ".join(slots))


@contextmanager
def _on_instance(target: EntryPoint, call: Call) -> Iterator[None]:
    """Put a wrapper on an instance and take it off again, leaving its `__dict__` as it was."""
    attributes = vars(target.module)
    had_own = target.name in attributes
    own = attributes.get(target.name)
    original = getattr(target.module, target.name)

    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        return call(target, functools.partial(original, *args, **kwargs))

    attributes[target.name] = watched
    try:
        yield
    finally:
        if attributes.get(target.name) is not watched:
            raise _replaced_error(target.name, target.slot)
        if had_own:
            attributes[target.name] = own
        else:
            del attributes[target.name]


def _replaced_error(name: str, slot: str) -> RuntimeError:
    return RuntimeError(
        f"`{name}` of `{slot}` was replaced while the profiler was attached; "
        f"take off what was put there before the profiler's block ends."
    )
