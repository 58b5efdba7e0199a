"""Find layers and parameters that torch does not know of, such as layers in a plain list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

OF_TORCH = frozenset(vars(nn.Module()))
"""Attributes in which torch itself keeps registered modules and tensors."""

_CONTAINERS = {
    ("Module", True): "nn.ModuleDict",
    ("Module", False): "nn.ModuleList",
    ("Parameter", True): "nn.ParameterDict",
    ("Parameter", False): "nn.ParameterList",
}


@dataclass(frozen=True)
class Unregistered:
    """A layer or a parameter that torch does not know of.

    Attributes:
        path: Its attribute path, relative to the component.
        what: The name of its class.
        advice: What to write instead.
    """

    path: str
    what: str
    advice: str

    def __str__(self) -> str:
        return (
            f"`{self.path}` ({self.what}) is unknown to torch, so that `to`, `state_dict` and the "
            f"optimizer pass it over; {self.advice}"
        )


def find_unregistered(component: nn.Module) -> Iterator[Unregistered]:
    """Yield the layers and parameters that only plain containers hold.

    A plain list may hold a layer that is registered elsewhere in the component, and one without
    parameters and buffers.
    """
    known = {id(each) for each in (*component.parameters(), *component.buffers())}
    for name, module in component.named_modules():
        for attribute, value in vars(module).items():
            if attribute not in OF_TORCH:
                holder = f"{name}.{attribute}" if name else attribute
                yield from _unknown_in(value, holder, known)


def _unknown_in(value: Any, holder: str, known: set[int]) -> Iterator[Unregistered]:
    for path, each, keyed in held_in(value, holder):
        if not isinstance(each, nn.Module | nn.Parameter):
            continue
        kind = "Module" if isinstance(each, nn.Module) else "Parameter"
        if any(id(tensor) not in known for tensor in _tensors_of(each)):
            advice = f"make `{holder}` an `{_CONTAINERS[kind, keyed]}`"
            if path == holder:
                advice = "assign it as an attribute, and not to `__dict__`"
            yield Unregistered(path, type(each).__name__, advice)


def held_in(value: Any, path: str = "", keyed: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """Yield path, value, and whether a mapping holds it, of modules and tensors in containers."""
    if isinstance(value, nn.Module | Tensor):
        yield path, value, keyed
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from held_in(each, f"{path}[{key!r}]", True)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, each in enumerate(value):
            yield from held_in(each, f"{path}[{index}]")


def _tensors_of(each: nn.Module | nn.Parameter) -> Iterator[Tensor]:
    if isinstance(each, nn.Parameter):
        yield each
    else:
        yield from each.parameters()
        yield from each.buffers()
