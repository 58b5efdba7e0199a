"""Leave the process as it was, whatever a component does to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def settled() -> Iterator[None]:
    """Run with one thread, gradients on and float32, and leave all of torch's state as it was."""
    threads, default, gradients = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
    state = torch.get_rng_state()
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
