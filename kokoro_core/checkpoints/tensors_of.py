"""What a module's tensors are called and look like in a checkpoint."""

from __future__ import annotations

from torch import nn

from kokoro_core.contracts.checkpoints import TensorInfo
from kokoro_core.tensors.compiled import original_name, original_state


def layout_of(module: nn.Module) -> dict[str, TensorInfo]:
    """Return type and shape of each tensor that a checkpoint of a module has; meta will do."""
    return {
        name: TensorInfo(str(each.dtype).removeprefix("torch."), tuple(each.shape))
        for name, each in original_state(module).items()
    }


def parameter_names(module: nn.Module) -> set[str]:
    """Return the names that a checkpoint has for the parameters of a module."""
    return {original_name(name) for name, _ in module.named_parameters()}
