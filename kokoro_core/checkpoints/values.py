"""The numbers of a model that is saved or was loaded: finite, in place, none left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from kokoro_core.errors import CheckpointError


def check_finite(what: str, tensors: Mapping[str, Tensor], parameters: set[str]) -> None:
    """Refuse parameters that are not finite, and any tensor with a NaN in it.

    Infinities are let be in buffers, where a mask may want them. A sum shows both, for one pass
    over the memory; only if it does, or overflows, is every number looked at.

    Raises:
        CheckpointError: There are some; the first tensors are named.
    """
    bad = []
    for name, tensor in tensors.items():
        if not tensor.dtype.is_floating_point or bool(torch.isfinite(tensor.sum())):
            continue
        if bool(tensor.isnan().any()):
            bad.append(f"`{name}` has {int(tensor.isnan().sum())} NaN")
        elif name in parameters and bool(tensor.isinf().any()):
            bad.append(f"`{name}` has {int(tensor.isinf().sum())} infinite numbers")
    if bad:
        more = f" and {len(bad) - 5} tensors more" if len(bad) > 5 else ""
        raise CheckpointError(
            f"{what}: {'; '.join(bad[:5])}{more}; a model with them gives nothing but NaN."
        )


Module = TypeVar("Module", bound=nn.Module)


def on_device(
    path: Path, model: Module, device: torch.device | str, *, widen: bool = False
) -> Module:
    """Give the buffers that no file holds the weights' place and type; nothing is without value.

    With `widen` all have float32 instead of 16 bits, and what is computed is not rounded first.

    Raises:
        CheckpointError: A tensor has no value.
    """
    floating = next((p.dtype for p in model.parameters() if p.dtype.is_floating_point), None)
    if widen and floating is not None and floating.itemsize < 4:
        floating = torch.float32
    model.to(device=torch.device(device), dtype=floating)
    tensors: dict[str, Any] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    unset = [name for name, tensor in tensors.items() if tensor.is_meta]
    if unset:
        raise CheckpointError(
            f"`{path}` leaves {', '.join(unset)} without a value; a component must compute its "
            f"buffers in `__init__`."
        )
    return model
