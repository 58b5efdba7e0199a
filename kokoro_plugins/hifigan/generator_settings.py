"""The settings of the generator, of a spec or of a published folder. No torch."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationInfo, model_validator

from kokoro_core.params.component import StrictModel
from kokoro_plugins.hifigan.sizes import OURS, wrong_sizes

Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]


class GeneratorSettings(StrictModel):
    """The generator; the defaults are those of V1, with 13.9 million parameters.

    Attributes:
        channels: Before the first transposed convolution, each of which halves them.
        rates: How many samples each transposed convolution makes of one; together a hop.
        rate_kernel_sizes: Their kernels; each exceeds its rate by an even number.
        kernel_sizes: Kernels of the residual blocks, whose mean follows each of them.
        dilations: The dilations of each residual block.
        slope: Of the leaky ReLUs.
        normalises: Whether the mel is normalised by a mean and a deviation of its own first.
    """

    channels: int = Field(default=512, ge=1)
    rates: Sizes = (8, 8, 2, 2)
    rate_kernel_sizes: Sizes = (16, 16, 4, 4)
    kernel_sizes: Sizes = (3, 7, 11)
    dilations: Annotated[tuple[Sizes, ...], Field(strict=False)] = ((1, 3, 5),) * 3
    slope: float = Field(default=0.1, ge=0)
    normalises: bool = True

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        called = (info.context or {}).get("called", OURS)
        if problems := list(wrong_sizes(dict(self), called)):
            raise ValueError("; ".join(problems))
        return self
