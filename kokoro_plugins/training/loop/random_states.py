"""`RandomStates`: every source of random numbers, saved and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer

Draws = dict[str, Tensor]
"""The states of one process, by source."""


@final
class RandomStates(Observer):
    """Saves the random states of Python, NumPy, torch and its device, of every process.

    Where several processes train together, each but the first gets random numbers of its own.

    Args:
        seed: Of processes that no checkpoint has a state for.
    """

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._device = torch.device("cpu")
        self._pending: Draws | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the states, each as a tensor with a row for every process."""
        own = random_states(self._device)
        if not torch.distributed.is_initialized():
            return {name: each[None] for name, each in own.items()}
        return {name: _gathered(each.to(self._device)).cpu() for name, each in own.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Note the states to put back."""
        self._pending = dict(state_dict)

    def on_start(self, module: TrainingModule) -> None:
        """Put the states back, after everything that could draw from them."""
        self._device = module.device
        pending, self._pending = self._pending or {}, None
        rank = module.global_rank
        if pending and rank < len(pending["torch"]):
            # cloned, since torch 2.13 crashes on a state that is a view
            own = {name: each[rank].clone() for name, each in pending.items()}
            set_random_states(own, module.device)
        elif rank > 0:
            drawn = int(pending["python"][0].sum()) if pending else 0
            seed_process(self._seed, rank, drawn)


def random_states(device: torch.device) -> Draws:
    """Return the states of this process as tensors.

    Shape:
        python: (627,) int64. numpy: (626,) int64. torch and device: (bytes,) uint8. gauss: (2,)
        float64, the second normal number that Python and NumPy keep if the flag before the words
        says so, else 0.
    """
    version, words, kept = random.getstate()
    _, keys, place, has_kept, numpy_kept = np.random.get_state()
    states = {
        "python": torch.tensor([version, int(kept is not None), *words]),
        "numpy": torch.tensor([int(place), int(has_kept), *map(int, keys)]),
        "gauss": torch.tensor([kept or 0.0, numpy_kept], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    if device.type in ("cuda", "mps"):
        states[device.type] = _of_device(device).get_rng_state()
    return states


def set_random_states(states: Draws, device: torch.device) -> None:
    """Put the states of this process back."""
    version, has_python_kept, *words = states["python"].tolist()
    kept, numpy_kept = states["gauss"].tolist()
    random.setstate((version, tuple(words), kept if has_python_kept else None))
    place, has_kept, *keys = states["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(keys, np.uint32), place, has_kept, numpy_kept))
    torch.set_rng_state(states["torch"])
    if device.type in states:
        _of_device(device).set_rng_state(states[device.type])


@contextmanager
def undrawn(device: torch.device | None = None) -> Iterator[None]:
    """Put the states of this process's CPU, and of another device, back after a ``with`` block."""
    device = device or torch.device("cpu")
    before = random_states(device)
    try:
        yield
    finally:
        set_random_states(before, device)


def seed_process(*numbers: int) -> None:
    """Seed a process from several numbers, so that no two processes draw the same."""
    seed = random.Random(repr(numbers)).getrandbits(32)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _gathered(own: Tensor) -> Tensor:
    """Return the tensors of all processes as rows of one."""
    rows = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(rows, own)
    return torch.stack(rows)


def _of_device(device: torch.device) -> Any:
    return torch.cuda if device.type == "cuda" else torch.mps
