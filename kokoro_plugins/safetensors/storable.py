"""Tensors that safetensors can store: dense, contiguous, without shared memory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor

from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.dtypes import NAMES
from kokoro_plugins.safetensors.header import METADATA
from kokoro_plugins.safetensors.memory import info_of


def check_storable(tensors: Mapping[str, Tensor]) -> None:
    """Reject tensors that would change when read back.

    Raises:
        CheckpointError: A tensor is sparse, has a type or name that the format does not
            support, or shares memory with another.
    """
    for name, tensor in tensors.items():
        _check(name, tensor)
    _check_sharing(tensors)


def contiguous_on_cpu(tensor: Tensor) -> Tensor:
    """Return a tensor's values, copying only if it is not contiguous or not on the CPU.

    A lazy conjugate or negation is materialized, since a file stores only values.
    """
    return tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()


def _check(name: str, tensor: Tensor) -> None:
    if name == METADATA:
        raise CheckpointError(
            f"`{METADATA}` is where safetensors keeps metadata, so no tensor can have that name."
        )
    if tensor.layout != torch.strided:
        raise CheckpointError(
            f"`{name}` must be dense, not {tensor.layout}; call `.to_dense()` before saving."
        )
    if info_of(tensor).dtype not in NAMES:
        raise CheckpointError(
            f"`{name}` is {tensor.dtype}, which safetensors cannot store; convert it before saving."
        )


def _check_sharing(tensors: Mapping[str, Tensor]) -> None:
    """Reject memory shared by two tensors, since after loading there would be two copies.

    Views of different parts of one storage are fine (a flattened LSTM has them).
    """
    spans = sorted((*_span(tensor), name) for name, tensor in tensors.items() if tensor.numel())
    for (before, _, end, first), (storage, start, _, second) in pairwise(spans):
        if storage == before and start < end:
            raise CheckpointError(
                f"`{first}` and `{second}` lie in the same memory and would be loaded as two "
                f"tensors; save one of them, or a `.clone()`."
            )


def _span(tensor: Tensor) -> tuple[int, int, int]:
    """Return a tensor's storage, and its first byte and end in it."""
    steps = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    start = int(tensor.storage_offset())
    end = start + int(steps) + 1
    size = tensor.element_size()
    return tensor.untyped_storage().data_ptr(), start * size, end * size
