"""Seeding torch at little cost."""

from __future__ import annotations

import torch


def seed_torch(seed: int) -> None:
    """Seed what torch draws from on the CPU.

    `torch.manual_seed` seeds every accelerator as well, and where one is not in use it notes where
    from, which takes longer than a tiny component.
    """
    torch.default_generator.manual_seed(seed)
