"""Seeding torch at little cost."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_torch(seed: int) -> None:
    """Seed what torch draws from on the CPU.

    `torch.manual_seed` seeds every accelerator as well, and where one is not in use it notes where
    from, which takes longer than a tiny component.
    """
    torch.default_generator.manual_seed(seed)


def drawn_elsewhere() -> str:
    """Return what tells whether a number is drawn from the generators of Python or numpy."""
    return f"{random.getstate()}{np.random.get_state()}"
