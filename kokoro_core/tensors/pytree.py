"""`register_pytree`: lets torch's transforms (compile, export, DDP) see inside a dataclass."""

from __future__ import annotations

from typing import TypeVar

from torch.export import register_dataclass

Class = TypeVar("Class")


def register_pytree(cls: type[Class]) -> type[Class]:
    """Register a dataclass as a pytree and return it, for use as a decorator."""
    register_dataclass(cls)
    return cls
