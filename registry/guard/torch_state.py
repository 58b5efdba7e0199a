"""The state of torch that a plugin's import may leave behind; read only where torch is imported."""

from __future__ import annotations

import sys
from typing import Any

CPU = "cpu"


def random_state() -> list[int] | None:
    """Return the state of the default generator, or None without torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_rng_state().tolist()


def set_random_state(value: list[int]) -> None:
    """Set the state of the default generator, whatever the default device is."""
    torch = sys.modules["torch"]
    torch.set_rng_state(torch.tensor(value, dtype=torch.uint8, device=CPU))


def dtype() -> Any:
    """Return the default dtype, or None without torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_default_dtype()


def set_dtype(value: Any) -> None:
    """Set the default dtype."""
    sys.modules["torch"].set_default_dtype(value)


def device() -> str | None:
    """Return the default device, or None without torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else str(torch.get_default_device())


def set_device(value: str) -> None:
    """Set the default device; for the CPU that is to have none, which costs no call anything."""
    sys.modules["torch"].set_default_device(None if value == CPU else value)


def gradients() -> bool | None:
    """Return whether gradients are recorded, or None without torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else bool(torch.is_grad_enabled())


def set_gradients(value: bool) -> None:
    """Set whether gradients are recorded."""
    sys.modules["torch"].set_grad_enabled(value)


def matmul_precision() -> str | None:
    """Return the precision of float32 products, or None without torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else str(torch.get_float32_matmul_precision())


def set_matmul_precision(value: str) -> None:
    """Set the precision of float32 products."""
    sys.modules["torch"].set_float32_matmul_precision(value)


def threads() -> int | None:
    """Return the number of threads, or None without torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def set_threads(value: int) -> None:
    """Set the number of threads."""
    sys.modules["torch"].set_num_threads(value)


def determinism() -> tuple[bool, bool] | None:
    """Return whether algorithms must be deterministic and whether that only warns, or None."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    return bool(torch.are_deterministic_algorithms_enabled()), bool(only_warns)


def set_determinism(value: tuple[bool, bool]) -> None:
    """Set whether algorithms must be deterministic."""
    sys.modules["torch"].use_deterministic_algorithms(value[0], warn_only=value[1])
