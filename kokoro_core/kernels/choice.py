"""Whether anything may be computed faster than by the formulas: ``KOKORO_KERNELS``."""

from __future__ import annotations

import os

VARIABLE = "KOKORO_KERNELS"
# Read once, and a constant for `torch.compile`; judged where it is used, so that what needs no
# kernel runs whatever the variable says.
_asked = os.environ.get(VARIABLE, "")


def by_reference() -> bool:
    """Return whether everything is to be computed by the formulas of `reference`.

    Raises:
        ValueError: ``KOKORO_KERNELS`` has a value that means nothing.
    """
    if _asked not in ("", "reference"):
        raise ValueError(
            f"`{VARIABLE}` must be `reference` (compute everything by the formulas) or unset, "
            f"not `{_asked}`."
        )
    return _asked == "reference"
