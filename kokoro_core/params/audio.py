"""`AudioSettings`: everything that determines how to read the values of a mel spectrogram."""

from __future__ import annotations

from typing import Literal, Self, TypeVar

from pydantic import Field, model_validator

from kokoro_core.params.component import StrictModel

Array = TypeVar("Array")


class AudioSettings(StrictModel):
    """The mel spectrogram in full; the defaults are HiFi-GAN's for 22,050 Hz (Kong et al., 2020).

    A vocoder made for one setting turns the mels of another into noise, so the section
    is stored in the checkpoint and a vocoder rejects one that differs.

    Attributes:
        sample_rate: Samples per second.
        n_fft: Length of the Fourier transform in samples.
        win_length: Length of the Hann window in samples.
        hop_length: Samples between consecutive frames.
        n_mels: Mel channels; must equal the spec's ``mel_dim``.
        fmin: Lowest frequency of the filters in Hz.
        fmax: Highest frequency of the filters in Hz.
        mel_scale: Scale of the filters' centres.
        mel_norm: ``slaney`` divides each filter by its width, None leaves its peak at 1.
        power: Exponent of the magnitude: 1 magnitude, 2 power.
        log: Natural logarithm or decimal.
        floor: Smallest magnitude before the logarithm.
        floor_mode: ``clamp``: log(max(x, floor)), ``add``: log(x + floor).
        padding: ``same``: reflect (n_fft - hop_length) / 2 samples at each side, so that there are
            samples / hop_length frames; ``center``: reflect n_fft / 2.
        mean: Mean of the log mel, subtracted before the model sees it.
        std: Standard deviation of the log mel, by which it is divided.
    """

    sample_rate: int = Field(default=22050, ge=1)
    n_fft: int = Field(default=1024, ge=2, le=2**20)
    win_length: int = Field(default=1024, ge=2)
    hop_length: int = Field(default=256, ge=1)
    n_mels: int = Field(default=80, ge=1)
    fmin: float = Field(default=0.0, ge=0)
    fmax: float = Field(default=8000.0, gt=0)
    mel_scale: Literal["slaney", "htk"] = "slaney"
    mel_norm: Literal["slaney"] | None = "slaney"
    power: float = Field(default=1.0, gt=0)
    log: Literal["ln", "log10"] = "ln"
    floor: float = Field(default=1e-5, gt=0)
    floor_mode: Literal["clamp", "add"] = "clamp"
    padding: Literal["same", "center"] = "same"
    mean: float = -5.536622
    std: float = Field(default=2.116101, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is larger than n_fft {self.n_fft}")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length {self.hop_length} is larger than n_fft {self.n_fft}")
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(
                f"fmin {self.fmin} < fmax {self.fmax} <= sample_rate / 2 = {self.sample_rate / 2} "
                f"does not hold"
            )
        return self

    def differences(self, other: AudioSettings) -> list[str]:
        """Return the differences that make mels of one unusable for a vocoder of the other.

        Mean and standard deviation do not count: mels are denormalised before the vocoder.
        """
        mine, theirs = self.model_dump(), other.model_dump()
        return [
            f"{name}: {mine[name]} against {theirs[name]}"
            for name in mine
            if name not in ("mean", "std") and mine[name] != theirs[name]
        ]
