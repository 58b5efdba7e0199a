"""Watch the layers of a stack, also where a decoder steps with a view of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

from torch import nn

from kokoro_core.contracts import Component

METHODS = ("forward", "step")
"""The methods of a layer that are watched, where it has them."""

Measure = Callable[[str, str], AbstractContextManager[None]]


class Layer(NamedTuple):
    """A member of a list of modules, and its name: ``decoder.layers.0``."""

    name: str
    module: nn.Module


def layers_of(slot: str, component: nn.Module) -> Iterator[Layer]:
    """Yield the members of every `nn.ModuleList` in a component that are no components."""
    for path, module in component.named_modules():
        if isinstance(module, nn.ModuleList):
            for name, each in module.named_children():
                if not isinstance(each, Component):
                    yield Layer(".".join(filter(None, (slot, path, name))), each)


@contextmanager
def watched_layers(layers: list[Layer], measure: Measure) -> Iterator[None]:
    """Measure the layers' methods within a block; afterwards they are as they were.

    The methods are wrapped on the layers' classes, and each layer carries its name: a decoder may
    step with copies of its layers, whose weights are laid out in another way, and a wrapper on an
    instance would lead from the copy back to the layer. A copy carries the name along.
    """
    mark = f"_watched_{id(layers)}"
    classes = dict.fromkeys(type(each.module) for each in layers)
    with ExitStack() as undo:
        for each in layers:
            vars(each.module)[mark] = each.name
            undo.callback(vars(each.module).pop, mark, None)
        for kind in classes:
            for name in METHODS:
                if callable(getattr(kind, name, None)):
                    undo.enter_context(_wrapped(kind, name, mark, measure))
        yield


@contextmanager
def _wrapped(kind: type[nn.Module], name: str, mark: str, measure: Measure) -> Iterator[None]:
    """Put a wrapper on a class; it does nothing for instances that have no mark."""
    original = getattr(kind, name)
    own = vars(kind).get(name)

    @functools.wraps(original)
    def watched(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        label = vars(self).get(mark)
        if label is None:
            return original(self, *args, **kwargs)
        with measure(label, name):
            return original(self, *args, **kwargs)

    setattr(kind, name, watched)
    try:
        yield
    finally:
        if own is None:
            delattr(kind, name)
        else:
            setattr(kind, name, own)
