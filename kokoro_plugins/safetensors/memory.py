"""A tensor's bytes, for reading into and writing from without a copy."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.contracts import TensorInfo


def empty(info: TensorInfo) -> Tensor:
    """Return an uninitialised tensor on the CPU."""
    return torch.empty(info.shape, dtype=getattr(torch, info.dtype), device="cpu")


def info_of(tensor: Tensor) -> TensorInfo:
    """Return a tensor's type and shape as in a header."""
    return TensorInfo(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))


def bytes_of(tensor: Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor on the CPU; writing to them writes to it."""
    return tensor.detach().reshape(-1).view(torch.uint8).numpy().data
