"""`ExampleVocoder`."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import NeuralVocoder
from kokoro_core.params.audio import AudioSettings


@final
class ExampleVocoder(NeuralVocoder):
    """A convolution over frames, and a layer that makes the samples of each.

    Args:
        audio: The settings of the mels.
        channels: Between the two.
        kernel_size: Frames that the convolution sees, odd.
    """

    def __init__(self, *, audio: AudioSettings, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.audio = audio
        self._reach = kernel_size // 2
        self.conv = nn.Conv1d(audio.n_mels, channels, kernel_size, padding=self._reach)
        self.out = nn.Linear(channels, audio.hop_length)

    @property
    def receptive_field(self) -> int:
        """How many frames on either side of its own a sample depends on."""
        return self._reach

    def forward(self, mel: Tensor) -> Tensor:
        """Return the waves of whole rows.

        Shape:
            mel: (B, T, M). Returns: (B, T * hop_length) in [-1, 1].
        """
        normal = (mel - self.audio.mean) / self.audio.std
        # (B, T, M) -> (B, M, T) -> (B, T, C)
        seen = self.conv(normal.transpose(1, 2)).relu().transpose(1, 2)
        # (B, T, hop_length) -> (B, T * hop_length)
        wave: Tensor = self.out(seen).tanh().flatten(1)
        return wave
