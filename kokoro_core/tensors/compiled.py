"""Parts wrapped by `torch.compile`: their original modules and tensor names."""

from __future__ import annotations

from typing import TypeVar, cast

from torch import Tensor, nn

WRAPPED = "_orig_mod"
"""The attribute under which `torch.compile` keeps the wrapped module."""

Module = TypeVar("Module", bound=nn.Module)


def original(module: Module) -> Module:
    """Return the module that `torch.compile` wrapped, or the module itself."""
    return cast("Module", getattr(module, WRAPPED, module))


def original_name(name: str) -> str:
    """Return a tensor's name without the prefix of `torch.compile`."""
    return ".".join(part for part in name.split(".") if part != WRAPPED)


def original_state(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's tensors by their names without the prefix of `torch.compile`."""
    return {original_name(name): each for name, each in module.state_dict().items()}
