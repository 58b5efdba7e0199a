"""Keep the state of the process that components share: random generators, threads, dtype."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_torch(seed: int) -> None:
    """Seed torch's CPU generator.

    `torch.manual_seed` also seeds every accelerator, and records a stack trace for one that is not
    in use, which takes longer than running a tiny component.
    """
    torch.default_generator.manual_seed(seed)


def other_generators() -> tuple[object, ...]:
    """Return the state of the generators of Python and numpy, to compare with a later one."""
    state: dict[str, Any] = dict(np.random.get_state(legacy=False))
    numbers = {
        name: each.tobytes() if isinstance(each, np.ndarray) else each
        for name, each in state.pop("state").items()
    }
    return random.getstate(), state, numbers


@contextmanager
def isolated() -> Iterator[None]:
    """Run on one thread, with gradients and in float32, and restore torch's state afterwards."""
    threads, default = torch.get_num_threads(), torch.get_default_dtype()
    gradients, state = torch.is_grad_enabled(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(default)
        torch.set_grad_enabled(gradients)
        torch.set_rng_state(state)
