"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.errors import AudioMismatch
from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import VocoderParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Vocoder


class ExampleParams(VocoderParams):
    """A whisper: noise with the loudness that the mel has at each time and frequency.

    Attributes:
        seed: Of the noise, the same for every row.
    """

    type: Literal["example"] = "example"
    seed: int = Field(default=0, ge=0)

    def build(self, audio: AudioSettings) -> Vocoder:
        """Return the vocoder.

        Raises:
            AudioMismatch: The frames of the mel are not where the vocoder puts them.
        """
        from kokoro_core.scaffold.examples.vocoder.vocoder import ExampleVocoder

        if audio.padding != "same":
            raise AudioMismatch(
                f"`audio.padding` must be `same` for this vocoder, not `{audio.padding}`."
            )
        return ExampleVocoder(audio=audio, seed=self.seed)
