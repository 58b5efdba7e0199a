"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import VocoderParams

if TYPE_CHECKING:
    from kokoro_core.contracts import NeuralVocoder


class ExampleParams(VocoderParams):
    """A small network that makes the samples of each frame of the frames around it.

    Attributes:
        channels: Between its two layers.
        kernel_size: Frames that it sees, odd.
    """

    type: Literal["example"] = "example"
    channels: int = Field(default=256, ge=1)
    kernel_size: int = Field(default=7, ge=1)

    @property
    def trained(self) -> bool:
        """Its weights are those of a checkpoint."""
        return True

    def build(self, audio: AudioSettings) -> NeuralVocoder:
        """Return the vocoder, its weights drawn."""
        from kokoro_core.scaffold.examples.neural_vocoder.vocoder import ExampleVocoder

        return ExampleVocoder(
            audio=audio,
            channels=self.channels,
            kernel_size=self.kernel_size,
        )
