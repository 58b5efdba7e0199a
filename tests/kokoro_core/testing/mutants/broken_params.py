"""Settings classes that say what is not so; they import no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import field_serializer

from kokoro_core.params.sizes import Size, Sizes, linear
from tests.kokoro_core.testing.mutants.params import ConvPredictorParams, SinusoidParams


class CountsTooLittle(ConvPredictorParams):
    """Leaves a layer out of its size."""

    def size(self, sizes: Sizes) -> Size | None:
        """Return the size of the way out alone."""
        return linear(sizes.hidden_dim, 1)


class ForgetsDropout(ConvPredictorParams):
    """Writes its settings without the dropout that it has."""

    dropout: float = 0.25

    @field_serializer("dropout")
    def _always_none(self, value: float) -> float:
        return 0.5


class Undocumented(SinusoidParams):
    type: Literal["sound_sinusoid"] = "sound_sinusoid"


Undocumented.__doc__ = None
