"""The contract of vocoders with weights, and what follows from it: rows alone, chunk by chunk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from kokoro_core.contracts.speech import Vocoder


class NeuralVocoder(nn.Module, Vocoder):
    """A vocoder that computes waves by weights of its own.

    It says how a batch of whole rows becomes waves, and how far a sample sees; that a row is heard
    as if it were alone, and that chunks together are the whole, follows from these two.
    """

    @property
    @abstractmethod
    def receptive_field(self) -> int:
        """How many frames on either side of its own a sample depends on, at most."""

    @abstractmethod
    def forward(self, mel: Tensor) -> Tensor:
        """Return the waves of whole rows, without padding.

        Shape:
            mel: (B, T, M), the log mel as `audio` defines it, not normalised, in the precision and
                on the device of the weights. Returns: (B, T * hop_length) in [-1, 1].
        """

    def fit_mels(self, mean: Tensor, deviation: Tensor) -> None:
        """Take in, before it is trained, what the mels of its recordings are like.

        One that normalises mels keeps the values in buffers; else there is nothing to do.

        Shape:
            mean, deviation: (M,), of each channel.
        """

    def decode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the waveforms, 0 after each row's ``lengths * hop_length`` samples.

        Each row is computed alone, so that neither the batch nor its padding is heard. The weights
        move to the device of the mel.

        Shape:
            mel: (B, T, M) log mel, not normalised. lengths: (B,) int64.
            Returns: (B, T * hop_length) float32 in [-1, 1].

        Raises:
            ValueError: The shapes do not fit, a length is outside 1 … T, or a row is not finite.
        """
        self.check_mel(mel, lengths)
        hop = self.audio.hop_length
        waves = torch.zeros(mel.shape[0], mel.shape[1] * hop, device=mel.device)
        for row, length in enumerate(lengths.tolist()):
            waves[row, : length * hop] = self._wave(mel[row, :length])
        return waves

    def stream(self, mels: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the wave of one row as soon as its mel allows; in all it is that of `decode`.

        Shape:
            mels: (T, M) each, one after the other. Yields: (S,) float32.
        """
        reach = self.receptive_field
        kept = torch.zeros(0, self.audio.n_mels)
        before = 0  # frames in `kept` whose wave is out
        for mel in mels:
            kept = torch.cat([kept.to(mel), mel])
            ready = len(kept) - reach
            if ready > before:
                yield self._part(kept, before, ready)
                kept, before = kept[max(0, ready - reach) :], min(ready, reach)
        if len(kept) > before:
            yield self._part(kept, before, len(kept))

    def _part(self, mel: Tensor, start: int, end: int) -> Tensor:
        hop = self.audio.hop_length
        return self._wave(mel)[start * hop : end * hop]

    @torch.no_grad()
    def _wave(self, mel: Tensor) -> Tensor:
        """Return the wave of a whole row, (T * hop_length,), of its mel, (T, M)."""
        weights = next(self.to(mel.device).parameters())
        wave: Tensor = self(mel.to(weights.dtype).unsqueeze(0))[0]
        return wave.float()
