"""Which methods of a model are watched, and what is done at each call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import takewhile
from typing import Any, final

from torch import nn
from torch.autograd.profiler import record_function
from torch.utils.module_tracker import ModuleTracker

from kokoro_core.contracts import Component
from kokoro_plugins.profiler.recorder import Recorder, RowKey
from kokoro_plugins.profiler.wrapping import EntryPoint, wrapped

MODEL = "model"
METHODS = ("forward", "generate", "inference", "stream")
"""The methods of the model itself that are watched, where it has them."""

LAYER_METHODS = ("forward", "step")
"""The methods of a layer that are watched, where it has them."""


def entry_points(model: nn.Module, *, nested: bool) -> Iterator[EntryPoint]:
    """Yield the entry points of the model and of each component in it.

    A slot is named by its path below the module that holds the components: ``encoder``, and
    ``encoder.positional_encoding`` for one inside it.

    Args:
        model: Any module.
        nested: Whether components inside components count.

    Raises:
        TypeError: A component lists an entry point that it does not have.
    """
    own = model.entry_points if isinstance(model, Component) else ()
    for name in dict.fromkeys((*METHODS, *own)):
        if name in own or hasattr(model, name):
            yield _entry_point(MODEL, model, name)
    for slot, component in _slots(model, nested):
        for name in component.entry_points:
            yield _entry_point(slot, component, name)


def layers(model: nn.Module) -> Iterator[EntryPoint]:
    """Yield the methods of every member of an `nn.ModuleList` in the model's components.

    Components among them have entry points of their own. A layer is named by its path, such as
    ``decoder.layers.0``.
    """
    for slot, component in _slots(model, False):
        for path, module in component.named_modules():
            members = module.named_children() if isinstance(module, nn.ModuleList) else ()
            for index, layer in members:
                name = ".".join(filter(None, (slot, path, index)))
                for method in LAYER_METHODS:
                    if not isinstance(layer, Component) and callable(getattr(layer, method, None)):
                        yield EntryPoint(name, layer, method)


def _entry_point(slot: str, module: nn.Module, name: str) -> EntryPoint:
    if not callable(getattr(module, name, None)):
        raise TypeError(
            f"`{type(module).__name__}` lists `{name}` in `entry_points` but has no such method."
        )
    return EntryPoint(slot, module, name)


def _slots(model: nn.Module, nested: bool) -> list[tuple[str, Component]]:
    """Return the components with their paths, less the part that leads to all of them."""
    found: list[tuple[list[str], Component]] = []
    outer = ("",) if isinstance(model, Component) else ()  # where the last component's parts are
    for path, module in model.named_modules():  # a module comes before what is inside it
        if path and isinstance(module, Component) and (nested or not path.startswith(outer)):
            found.append((path.split("."), module))
            outer = (f"{path}.",)
    parents = [path[:-1] for path, _ in found]
    levels = zip(*parents, strict=False)
    shared = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, levels))
    return [(".".join(path[shared:]), module) for path, module in found]


@final
class Watch:
    """What the wrappers do while they are on.

    Args:
        recorder: Where calls are counted.
        trace: Name each call in torch's own profiler as well.
    """

    def __init__(self, *, recorder: Recorder, trace: bool) -> None:
        self._recorder = recorder
        self._trace = trace
        self._autograd = ModuleTracker()
        self._on = True

    @contextmanager
    def over(self, targets: Iterable[EntryPoint]) -> Iterator[None]:
        """Watch methods within a block; afterwards classes and instances are as they were.

        Raises:
            RuntimeError: Something was put over a wrapper and is still there at the end.
        """
        try:
            with wrapped(targets, self._call):
                yield
        finally:
            self._on = False

    @contextmanager
    def measure(self, slot: str, entry_point: str, *, resumed: bool = False) -> Iterator[None]:
        """Count the time and memory of a block for a slot and entry point."""
        key = RowKey(slot, entry_point, self._autograd.is_bw)
        with self._range(f"{slot}.{entry_point}"), self._recorder.call(key, resumed=resumed):
            yield

    def _range(self, name: str) -> AbstractContextManager[Any]:
        return record_function(name) if self._trace else nullcontext()

    def _call(self, target: EntryPoint, method: Callable[[], Any]) -> Any:
        if not self._on:  # a bound method that was kept still has the wrapper
            return method()
        with self.measure(target.slot, target.name):
            result = method()
        return self._resumed(target, result) if inspect.isgenerator(result) else result

    def _resumed(
        self, target: EntryPoint, items: Generator[Any, Any, Any]
    ) -> Generator[Any, Any, Any]:
        """Pass a generator's items on and measure only the time that it takes to make them."""
        try:
            while self._on:
                with self.measure(target.slot, target.name, resumed=True):
                    try:
                        item = next(items)
                    except StopIteration as end:
                        return end.value
                yield item
            return (yield from items)
        finally:
            items.close()
