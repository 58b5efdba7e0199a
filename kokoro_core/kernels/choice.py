"""Whether anything may be computed faster than by the formulas: ``KOKORO_KERNELS``."""

from __future__ import annotations

import os

import torch

VARIABLE = "KOKORO_KERNELS"
# Read once, and a constant for `torch.compile`; judged where it is used, so that what needs no
# kernel runs whatever the variable says.
_asked = os.environ.get(VARIABLE, "")


def by_reference() -> bool:
    """Return whether everything is to be computed by the formulas of `reference`.

    So it is in what is exported too: a kernel chosen for this processor and these lengths is wrong
    on others, and a runtime has kernels of its own.

    Raises:
        ValueError: ``KOKORO_KERNELS`` has a value that means nothing.
    """
    if _asked not in ("", "reference"):
        raise ValueError(
            f"`{VARIABLE}` must be `reference` (compute everything by the formulas) or unset, "
            f"not `{_asked}`."
        )
    return _asked == "reference" or torch.compiler.is_exporting()
