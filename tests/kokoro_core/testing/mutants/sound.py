"""The sound components: what the mutants would be without their faults."""

from __future__ import annotations

from kokoro_core.params.component import ComponentParams
from tests.kokoro_core.testing.mutants.params import (
    AttentionDecoderParams,
    AttentionEncoderParams,
    BlendParams,
    CellDecoderParams,
    ConvEncoderParams,
    ConvPostnetParams,
    ConvPredictorParams,
    DetachedParams,
    FlowParams,
    LikelihoodParams,
    NormedPostnetParams,
    ParallelParams,
    RangesParams,
    RelativeParams,
    RepeatParams,
    RotaryParams,
    RoundedParams,
    SinusoidParams,
)

SOUND: dict[str, ComponentParams] = {
    "attention encoder": AttentionEncoderParams(),
    "convolutional encoder": ConvEncoderParams(),
    "convolutional predictor": ConvPredictorParams(),
    "likelihood predictor": LikelihoodParams(),
    "repeating regulator": RepeatParams(),
    "blending regulator": BlendParams(),
    "attention decoder": AttentionDecoderParams(),
    "recurrent decoder": CellDecoderParams(),
    "parallel decoder": ParallelParams(),
    "flow decoder": FlowParams(),
    "convolutional postnet": ConvPostnetParams(),
    "normed postnet": NormedPostnetParams(),
    "sinusoids": SinusoidParams(),
    "rotary positions": RotaryParams(),
    "relative positions": RelativeParams(),
}

VARIANTS: dict[str, ComponentParams] = {
    "attention decoder of groups": AttentionDecoderParams(reduction_factor=2),
    "detached predictor": DetachedParams(),
    "regulator of learned ranges": RangesParams(),
    "rounding postnet": RoundedParams(),
}
"""The same in other settings or with one thing otherwise, which are tried less."""
