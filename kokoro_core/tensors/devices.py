"""Which devices a model can be used on here."""

from __future__ import annotations

import torch


def devices() -> dict[str, int]:
    """Return the kinds of devices that this machine has, with the number of each."""
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": torch.mps.device_count()}
    return {kind: count for kind, count in counts.items() if count}


def is_device(name: str) -> bool:
    """Return whether a text names a device of this machine."""
    try:
        wanted = torch.device(name)
    except (RuntimeError, TypeError):
        return False
    return (wanted.index or 0) < devices().get(wanted.type, 0)
