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
    CurveParams,
    DetachedParams,
    FlowParams,
    LikelihoodParams,
    MassAlignerParams,
    NormedPostnetParams,
    OwnLossParams,
    ParallelParams,
    RangesParams,
    RelativeParams,
    RepeatParams,
    RotaryParams,
    RoundedParams,
    SinusoidParams,
    VoiceParams,
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
    "sharing aligner": MassAlignerParams(),
    "adaptor of a curve": CurveParams(),
    "conditioner of a voice": VoiceParams(),
}

VARIANTS: dict[str, ComponentParams] = {
    "attention decoder of groups": AttentionDecoderParams(reduction_factor=2),
    "recurrent decoder whose rows make place": CellDecoderParams(relay=True),
    "detached predictor": DetachedParams(),
    "predictor with a loss of its own": OwnLossParams(),
    "regulator of learned ranges": RangesParams(),
    "rounding postnet": RoundedParams(),
}
"""The same in other settings or with one thing otherwise, which are tried less."""
