"""Probes: one for each slot, which calls its components."""

from __future__ import annotations

from kokoro_core.testing.probes.base import Probe
from kokoro_core.testing.probes.decoders import DecoderProbe
from kokoro_core.testing.probes.parts import (
    DurationPredictorProbe,
    EncoderProbe,
    PostnetProbe,
    RegulatorProbe,
)
from kokoro_core.testing.probes.voices import AdaptorProbe, AlignerProbe, ConditionerProbe

PROBES: dict[str, type[Probe]] = {
    "encoder": EncoderProbe,
    "duration_predictor": DurationPredictorProbe,
    "regulator": RegulatorProbe,
    "decoder": DecoderProbe,
    "postnet": PostnetProbe,
    "aligner": AlignerProbe,
    "adaptor": AdaptorProbe,
    "conditioner": ConditionerProbe,
}
"""Probe class by slot; slots without one have checks of their own."""

__all__ = ["PROBES", "AdaptorProbe", "AlignerProbe", "Probe"]
