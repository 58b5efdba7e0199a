"""The layers of stacks, as entry points of their own."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from kokoro_core.contracts import Component
from kokoro_plugins.profiler.wrapping import EntryPoint

METHODS = ("forward", "step")
"""The methods of a layer that are watched, where it has them."""


def layers_of(slot: str, component: nn.Module) -> Iterator[EntryPoint]:
    """Yield the methods of every member of an `nn.ModuleList` that is no component itself.

    A layer is named by its path: ``decoder.layers.0``.
    """
    for path, module in component.named_modules():
        if isinstance(module, nn.ModuleList):
            for index, layer in module.named_children():
                name = ".".join(filter(None, (slot, path, index)))
                for method in METHODS:
                    if not isinstance(layer, Component) and callable(getattr(layer, method, None)):
                        yield EntryPoint(name, layer, method)
