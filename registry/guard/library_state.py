"""Parts of the process's state; a library's only if the library has been imported already.

Each row names a module and how to read and set something in it; this module imports none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A part of the process's state.

    Attributes:
        name: Description for messages.
        read: Returns the value, or None.
        put_back: Restores a value.
    """

    name: str
    read: Callable[[], Any]
    put_back: Callable[[Any], None]

    def value(self) -> Any:
        """Return the value, or None if it cannot be read."""
        try:
            return self.read()
        except Exception:  # third-party code may have replaced the function
            return None


def _in(
    module: str, name: str, read: Callable[[Any], Any], put_back: Callable[[Any, Any], None]
) -> Place:
    """Return a part of a module's state, whose value is None if the module is not imported."""
    return Place(
        name,
        lambda: read(sys.modules[module]) if module in sys.modules else None,
        lambda value: put_back(sys.modules[module], value),
    )


def _of_torch(what: str, read: str, put_back: str) -> Place:
    return _in(
        "torch",
        f"torch's {what}",
        lambda torch: getattr(torch, read)(),
        lambda torch, value: getattr(torch, put_back)(value),
    )


def _numpy_state(random: Any) -> Any:
    kind, keys, *rest = random.get_state()
    return kind, keys.tolist(), *rest


CPU = "cpu"

OF_LIBRARIES = (
    # the device first, so that other values are not restored on the wrong one
    _in(
        "torch",
        "torch's default device",
        lambda torch: str(torch.get_default_device()),
        # an explicit default of CPU slows down every call, None does not
        lambda torch, value: torch.set_default_device(None if value == CPU else value),
    ),
    _of_torch("default dtype", "get_default_dtype", "set_default_dtype"),
    _of_torch("recording of gradients", "is_grad_enabled", "set_grad_enabled"),
    _of_torch("float32 precision", "get_float32_matmul_precision", "set_float32_matmul_precision"),
    _of_torch("number of threads", "get_num_threads", "set_num_threads"),
    _of_torch("deterministic mode", "get_deterministic_debug_mode", "set_deterministic_debug_mode"),
    _in(
        "torch",
        "the random state of torch",
        lambda torch: torch.get_rng_state().tolist(),
        lambda torch, value: torch.set_rng_state(
            torch.tensor(value, dtype=torch.uint8, device=CPU)
        ),
    ),
    _in(
        "numpy.random",
        "the random state of numpy",
        _numpy_state,
        lambda random, value: random.set_state(value),
    ),
)
