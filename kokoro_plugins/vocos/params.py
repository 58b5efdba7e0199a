"""The settings of the vocoder `vocos`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from kokoro_core.errors import AudioMismatch
from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import VocoderParams

if TYPE_CHECKING:
    from kokoro_plugins.vocos.vocoder import Vocos


class VocosParams(VocoderParams):
    """Vocos (Siuzdak, 2023): ConvNeXt blocks over frames, and an inverse STFT.

    ``train-vocoder`` trains it. With the defaults it has 2.2 million parameters for 80 mel
    channels, and a sample sees 23 frames on either side.

    Attributes:
        channels: Between the blocks.
        expansion: How many times as many there are inside of a block.
        num_layers: Blocks.
        kernel_size: Frames that each convolution sees, odd.
        n_fft: Samples of a frame that the inverse STFT adds up; null: as many as the mel's.
    """

    trained: ClassVar[bool] = True

    type: Literal["vocos"] = "vocos"
    channels: int = Field(default=224, ge=1)
    expansion: int = Field(default=3, ge=1)
    num_layers: int = Field(default=6, ge=1)
    kernel_size: int = Field(default=7, ge=1)
    n_fft: int | None = Field(default=None, ge=2, le=2**20)

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"must be odd, so that a frame is in the middle, not {size}")
        return size

    def build(self, audio: AudioSettings) -> Vocos:
        """Return the vocoder; its weights are drawn.

        Raises:
            AudioMismatch: A frame of `n_fft` samples does not reach over the hop as it must.
        """
        n_fft = audio.n_fft if self.n_fft is None else self.n_fft
        hop = audio.hop_length
        if n_fft < 2 * hop or (n_fft - hop) % 2:
            raise AudioMismatch(
                f"`vocos` adds up frames of `n_fft` samples, which must be at least twice the "
                f"`hop_length` and exceed it by an even number, not {n_fft} for {hop}; set "
                f"`vocoder.n_fft`, for example to {3 * hop}."
            )
        from kokoro_plugins.vocos.vocoder import Vocos

        return Vocos(
            audio=audio,
            channels=self.channels,
            expansion=self.expansion,
            num_layers=self.num_layers,
            kernel_size=self.kernel_size,
            n_fft=n_fft,
        )
