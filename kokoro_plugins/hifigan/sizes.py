"""What sizes a generator can have, and what published ones are called. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BESIDE_A_MODEL = "fastspeech2_conformer_with_hifigan"

MODEL_TYPES = ("fastspeech2_conformer_hifigan", "speecht5_hifigan", BESIDE_A_MODEL)
"""The ``model_type`` of published folders with a generator."""

OURS = {
    name: name for name in ("channels", "rates", "rate_kernel_sizes", "kernel_sizes", "dilations")
}
"""What sizes are called in a spec; in a published folder they have other names."""


def wrong_sizes(settings: Mapping[str, Any], called: Mapping[str, str]) -> Iterator[str]:
    """Yield what keeps lists of sizes from describing a generator.

    Args:
        settings: As `GeneratorSettings` has them.
        called: What the sizes are called where they come from.
    """
    rates: Sequence[int] = settings["rates"]
    kernels: Sequence[int] = settings["rate_kernel_sizes"]
    if len(rates) != len(kernels):
        yield f"`{called['rate_kernel_sizes']}` must have one for each of {rates}, not {kernels}"
    elif any(k < r or (k - r) % 2 for r, k in zip(rates, kernels, strict=True)):
        yield (
            f"`{called['rate_kernel_sizes']}` must exceed `{called['rates']}` by even numbers, so "
            f"that each frame has as many samples, not {kernels} and {rates}"
        )
    halvings = 2 ** len(rates)
    if settings["channels"] % halvings:
        yield (
            f"`{called['channels']}` {settings['channels']} must be a multiple of {halvings}, "
            f"since each of the {len(rates)} `{called['rates']}` halves them"
        )
    if len(settings["kernel_sizes"]) != len(settings["dilations"]):
        yield (
            f"`{called['dilations']}` must have a list for each of {settings['kernel_sizes']}, "
            f"not {settings['dilations']}"
        )
    if even := [each for each in settings["kernel_sizes"] if each % 2 == 0]:
        yield f"`{called['kernel_sizes']}` must be odd, so that each has a middle, not {even}"
