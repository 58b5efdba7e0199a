"""The settings of the vocoder, and what the plugin brings; this file imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core import hookimpl
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import VocoderParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Vocoder

KOKORO_API = 2


class SinesParams(VocoderParams):
    """A sine for each mel channel, as loud as the channel is (a channel vocoder, Dudley, 1939).

    Attributes:
        gain: What the sines are multiplied by; neighbouring channels hear each other's.
    """

    type: Literal["sines"] = "sines"
    gain: float = Field(default=0.5, gt=0)

    def build(self, audio: AudioSettings) -> Vocoder:
        """Return the vocoder."""
        from acme_sines.vocoder import SinesVocoder

        return SinesVocoder(audio=audio, gain=self.gain)


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the vocoder."""
    return [SinesParams]


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return a model with it."""
    return {"acme-sines": files("acme_sines") / "acme-sines.yaml"}
