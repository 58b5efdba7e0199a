"""Tensors as safetensors can store them: dense, contiguous, each in memory of its own."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from safetensors.torch import save
from torch import Tensor

from kokoro_core.outer_contracts import CheckpointError


def storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, copied where they are not contiguous.

    Raises:
        CheckpointError: A tensor has no data, is sparse, has a type or name that the format has
            not, or lies in the same memory as another.
    """
    for name, tensor in tensors.items():
        _check(name, tensor)
    _check_types(tensors)
    _check_sharing(tensors)
    return {name: _plain(tensor) for name, tensor in tensors.items()}


def _plain(tensor: Tensor) -> Tensor:
    """Return the numbers that the tensor shows: a lazy conjugate or negative is carried out."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous()


def _check(name: str, tensor: Tensor) -> None:
    if name == "__metadata__":
        raise CheckpointError(
            "`__metadata__` is where safetensors keeps metadata, so no tensor can have that name."
        )
    if tensor.is_meta:
        raise CheckpointError(
            f"`{name}` is on the meta device and has no data to save; give it weights first."
        )
    if tensor.layout != torch.strided:
        raise CheckpointError(
            f"`{name}` must be dense, not {tensor.layout}; call `.to_dense()` before saving."
        )


def _check_types(tensors: Mapping[str, Tensor]) -> None:
    """Try each element type on an empty tensor: the format's own list is not public."""
    example = {tensor.dtype: name for name, tensor in tensors.items()}
    for dtype, name in example.items():
        try:
            save({name: torch.empty(0, dtype=dtype)})
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"`{name}` is {dtype}, which safetensors cannot store; convert it before saving."
            ) from error


def _check_sharing(tensors: Mapping[str, Tensor]) -> None:
    """Refuse memory that two tensors share: after loading there would be two of it.

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
    """Return a tensor's storage, its first byte in it and the one behind its last."""
    steps = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    start = int(tensor.storage_offset())
    end = start + int(steps) + 1
    size = tensor.element_size()
    return tensor.untyped_storage().data_ptr(), start * size, end * size
