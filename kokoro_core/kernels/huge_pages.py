"""Memory for weights that are read from end to end again and again."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor

from kokoro_core.kernels import cpu

PAGE = 2 << 20
"""Bytes of a huge page on the processors that torch is built for."""
LINE = 64
"""Bytes of a line of the processor's caches, where each tensor begins."""


def copy_to_huge_pages(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return copies of tensors, one after the other in huge pages, or the tensors themselves.

    Reading a hundred megabytes in pages of 4 kB, the processor looks up each page and begins its
    prefetching anew in each; in huge pages a step of one row takes 6 to 10 % less
    (docs/generation.md). Only Linux lets a program ask for them; elsewhere nothing is copied.

    Args:
        tensors: On a CPU, without gaps in them; shapes and strides are kept.
    """
    if not cpu.processor().huge_pages or not tensors:
        return list(tensors)
    sizes = [-(-each.numel() * each.element_size() // LINE) * LINE for each in tensors]
    free = _region(sum(sizes))
    copies = []
    for each, size in zip(tensors, sizes, strict=True):
        place, free = free[: each.numel() * each.element_size()], free[size:]
        copies.append(place.view(each.dtype).as_strided(each.shape, each.stride()).copy_(each))
    return copies


def _region(size: int) -> Tensor:
    """Return so many bytes that begin with a page; they are given back with the last tensor."""
    memory = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages serves with small ones
        memory.madvise(mmap.MADV_HUGEPAGE)
    region = torch.frombuffer(memory, dtype=torch.uint8)
    return region[-region.data_ptr() % PAGE :][:size]
