"""Trees of tensors: dataclasses that torch's transforms can traverse, and paths of leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from torch import Tensor
from torch.export import register_dataclass

Class = TypeVar("Class")


def register_pytree(cls: type[Class]) -> type[Class]:
    """Register a dataclass as a pytree and return it, for use as a decorator."""
    register_dataclass(cls)
    return cls


def children(path: str, tree: Any) -> list[tuple[str, Any]] | None:
    """Return the children of a mapping, list, tuple or dataclass; None for a leaf.

    A field that is None, and None by default, is skipped.

    Args:
        path: Path of the tree, a prefix of the children's, as in ``style['curves'][0]``.
        tree: The container, or a leaf.
    """
    if isinstance(tree, Mapping):
        return [(f"{path}[{key!r}]", each) for key, each in tree.items()]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(f"{path}.{name}", getattr(tree, name)) for name in tree._fields]
    if isinstance(tree, (list, tuple)):
        return [(f"{path}[{index}]", each) for index, each in enumerate(tree)]
    if not is_dataclass(tree) or isinstance(tree, type):
        return None
    named = [(each, getattr(tree, each.name)) for each in fields(tree)]
    return [
        (f"{path}.{field.name}", value)
        for field, value in named
        if value is not None or field.default is not None
    ]


def named_tensors(path: str, tree: Any) -> list[tuple[str, Tensor]]:
    """Return the tensors of a tree with their paths."""
    if isinstance(tree, Tensor):
        return [(path, tree)]
    return [
        found for below, each in children(path, tree) or () for found in named_tensors(below, each)
    ]
