"""`HifiGan`: the vocoder around the generator."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import NeuralVocoder
from kokoro_core.errors import AudioMismatch
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.hifigan.generator import Generator


@final
class HifiGan(NeuralVocoder):
    """HiFi-GAN's generator as a vocoder.

    Args:
        audio: The settings of the mels.
        generator: With its weights.

    Raises:
        AudioMismatch: The generator makes another number of samples a frame, or reads other
            channels.
    """

    def __init__(self, *, audio: AudioSettings, generator: Generator) -> None:
        super().__init__()
        for name, mine, theirs in (
            ("hop_length", generator.hop_length, audio.hop_length),
            ("n_mels", len(generator.mean), audio.n_mels),
        ):
            if mine != theirs:
                raise AudioMismatch(
                    f"`hifigan` was made for the `{name}` {mine}, and `audio` has {theirs}."
                )
        self.audio = audio
        self.generator = generator.eval()

    @property
    def receptive_field(self) -> int:
        """How many frames on either side of its own a sample depends on, at most."""
        return self.generator.receptive_field

    @torch.no_grad()
    def fit_mels(self, mean: Tensor, deviation: Tensor) -> None:
        """Normalise mels by these means and standard deviations from now on, if it does at all."""
        self.generator.mean.copy_(mean)
        self.generator.scale.copy_(deviation)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the waves of whole rows.

        Shape:
            mel: (B, T, M). Returns: (B, T * hop_length).
        """
        wave: Tensor = self.generator(mel)
        return wave
