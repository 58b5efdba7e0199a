"""What the C library does with memory that is freed: keep it for the next step of a training.

glibc gives each large tensor pages of its own and returns them when it is freed, or cuts them off
the end of its heap. The operating system then zeroes the same pages again for the next tensor: in
a training step of the spec `default` 30,000 times (docs/training.md).
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Mapping

from kokoro_core.kernels.choice import by_reference

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""The names of glibc's settings in ``malloc.h``."""
LARGEST = (1 << 31) - 1
"""What a setting can be at most: as good as never."""
LARGEST_MAPPED = 32 << 20
"""The highest threshold of a mapping of its own that older versions of glibc accept."""
GROWS_BY = 64 << 20
"""Bytes by which the heap grows at a time, so that it seldom has to."""
VARIABLES = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_"}
"""Where a user says the same; whoever sets one of them has chosen."""
TUNABLES = "GLIBC_TUNABLES"
"""Where a user says it otherwise, besides much that is not about memory."""

Setter = Callable[[int, int], int]
"""glibc's `mallopt`: a setting and its value; returns 0 if it does not take it."""


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, and return whether it does.

    Its peak stays as it was; between two steps less is given back to other programs. Without
    effect where the C library is not glibc, where the user has set its variables, and with
    ``KOKORO_KERNELS=reference``.
    """
    if by_reference() or platform.libc_ver()[0] != "glibc" or is_chosen(os.environ):
        return False
    return set_thresholds(ctypes.CDLL(None).mallopt)


def is_chosen(environment: Mapping[str, str]) -> bool:
    """Return whether a user has said what the C library is to do."""
    return not VARIABLES.isdisjoint(environment) or "glibc.malloc" in environment.get(TUNABLES, "")


def set_thresholds(mallopt: Setter) -> bool:
    """Keep what is freed and map nothing for itself; return whether the library takes that."""
    mapped = any(mallopt(MMAP_THRESHOLD, size) for size in (LARGEST, LARGEST_MAPPED))
    return bool(mapped and mallopt(TRIM_THRESHOLD, LARGEST) and mallopt(TOP_PAD, GROWS_BY))
