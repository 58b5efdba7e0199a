"""Checks of what a component promises, for anybody's components.

`make_probe` builds a component from its params and knows how to call it, the checks say what holds
for every component of its slot, and the strategies, which need hypothesis, draw what to check it
on.
"""

from kokoro_core.testing.batches import RaggedBatch
from kokoro_core.testing.probes import Outputs, Probe, make_probe

__all__ = ["Outputs", "Probe", "RaggedBatch", "make_probe"]
