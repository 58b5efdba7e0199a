"""Probes: for each slot how a component is called."""

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
"""By slot; a slot without a probe has checks of its own kind."""

__all__ = ["PROBES", "Probe"]
