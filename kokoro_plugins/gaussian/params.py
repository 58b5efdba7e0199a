"""The settings of the Gaussian regulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import Size, Sizes
from kokoro_core.slots import RegulatorParams

if TYPE_CHECKING:
    from kokoro_plugins.gaussian.regulator import GaussianRegulator


class GaussianRegulatorParams(RegulatorParams):
    """Blends neighbouring phonemes with Gaussian weights (EATS, Donahue et al., 2021; JETS).

    Attributes:
        delta: Fixed temperature of the softmax over -delta · (frame - centre)²; JETS uses 0.1. A
            standard deviation of σ frames is 1 / (2 σ²).
        frame_time: Point in a frame from which the distance to a phoneme's centre is measured:
            ``start`` as in JETS, or ``middle``, which favours neither neighbour.
    """

    type: Literal["gaussian"] = "gaussian"
    delta: float = Field(default=0.1, gt=0)
    frame_time: Literal["start", "middle"] = "start"

    @property
    def capabilities(self) -> Capabilities:
        """A frame is a blend of phonemes."""
        return Capabilities(blends=True, exportable=True)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return a configuration for each value of `frame_time`."""
        return {"": {}, "middle": {"frame_time": "middle"}}

    def size(self, sizes: Sizes) -> Size:
        """Return an empty size: it has no parameters."""
        return Size()

    def build(self, sizes: Sizes) -> GaussianRegulator:
        """Return the regulator, which works at any width."""
        from kokoro_plugins.gaussian.regulator import GaussianRegulator

        return GaussianRegulator(delta=self.delta, frame_time=self.frame_time)
