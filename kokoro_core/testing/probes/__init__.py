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

PROBES: dict[str, type[Probe]] = {
    "encoder": EncoderProbe,
    "duration_predictor": DurationPredictorProbe,
    "regulator": RegulatorProbe,
    "decoder": DecoderProbe,
    "postnet": PostnetProbe,
}
"""Probe class by slot; slots without one have checks of their own."""

__all__ = ["PROBES", "Probe"]
