"""Settings of built-in components that build a broken one by the name of a mutant."""

from __future__ import annotations

from typing import Any

from kokoro_core.params.component import StrictModel
from kokoro_plugins.fastspeech.params import ConvDurationPredictorParams
from kokoro_plugins.gaussian.params import GaussianRegulatorParams
from kokoro_plugins.positions.params import AlibiParams, LearnedParams, RotaryParams
from kokoro_plugins.tacotron.params import ConvPostnetParams
from kokoro_plugins.transformer.params import (
    MlpParams,
    ParallelTransformerParams,
    RepeatParams,
    SinusoidalParams,
    TransformerDecoderParams,
    TransformerEncoderParams,
)


class Breakable(StrictModel):
    """Settings that may name a mutant.

    Attributes:
        mutant: Name of the class that the built component is made one of; empty: none.
    """

    mutant: str = ""

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """Return the component, broken."""
        built = super().build(*args, **kwargs)  # type: ignore[misc]
        if self.mutant:
            from tests.kokoro_core.testing.mutants.catalogue import find_mutant

            # A built-in component is final to the type checker alone.
            built.__class__ = find_mutant(self.mutant).component
        return built


class OurEncoder(Breakable, TransformerEncoderParams):
    """Our encoder."""


class OurDecoder(Breakable, TransformerDecoderParams):
    """Our autoregressive decoder."""


class OurParallelDecoder(Breakable, ParallelTransformerParams):
    """Our parallel decoder."""


class OurMlp(Breakable, MlpParams):
    """Our first duration predictor."""


class OurConvPredictor(Breakable, ConvDurationPredictorParams):
    """Our second duration predictor."""


class OurRepeat(Breakable, RepeatParams):
    """Our first regulator."""


class OurGaussian(Breakable, GaussianRegulatorParams):
    """Our second regulator."""


class OurPostnet(Breakable, ConvPostnetParams):
    """Our postnet."""


class OurSinusoids(Breakable, SinusoidalParams):
    """Our sinusoids."""


class OurLearned(Breakable, LearnedParams):
    """Our learned positions."""


class OurRotary(Breakable, RotaryParams):
    """Our rotary positions."""


class OurAlibi(Breakable, AlibiParams):
    """Our linear biases."""
