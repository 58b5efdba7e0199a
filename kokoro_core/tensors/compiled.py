"""Parts that `torch.compile` has wrapped: their originals, and the names of their tensors."""

from __future__ import annotations

from typing import TypeVar, cast

from torch import Tensor, nn

WRAPPED = "_orig_mod"
"""What `torch.compile` calls the module that it wraps."""

Module = TypeVar("Module", bound=nn.Module)


def original(module: Module) -> Module:
    """Return the module that `torch.compile` wrapped, or the module itself."""
    return cast("Module", getattr(module, WRAPPED, module))


def original_name(name: str) -> str:
    """Return a tensor's name as it is without `torch.compile`."""
    return ".".join(part for part in name.split(".") if part != WRAPPED)


def original_state(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's tensors by the names that they have without `torch.compile`."""
    return {original_name(name): each for name, each in module.state_dict().items()}
