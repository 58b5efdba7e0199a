"""`VocoderSampler`: how recordings that are held out sound and look while a vocoder is trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import NeuralVocoder
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.training.pictures import mels_picture
from kokoro_plugins.training.vocoder.data import VocoderData
from kokoro_plugins.training.watching.samples import HEARD, Sample


@final
class VocoderSampler:
    """Lets a vocoder make held-out recordings again from their mels.

    Args:
        vocoder: What is trained.
        data: What is held out.
    """

    def __init__(self, vocoder: NeuralVocoder, data: VocoderData) -> None:
        self._vocoder = vocoder
        self._data = data
        self._to_mel = MelSpectrogram(audio=data.audio)

    @property
    def sample_rate(self) -> int:
        """That of the recordings."""
        return self._data.audio.sample_rate

    def samples(self, *, with_recordings: bool) -> Iterator[Sample]:
        """Yield a sample of each utterance.

        Args:
            with_recordings: Whether the recordings are among the sounds.
        """
        for mel, each in itertools.islice(self._data.held_out_pairs(), HEARD):
            wave = self._wave(mel)
            # (T, hop) -> (T * hop,)
            sounds = {"recording": each.features[WAVE].flatten()} if with_recordings else {}
            mels = {"recording": each.mel, "vocoder": self._to_mel(wave)}
            pictures = {"mel": mels_picture(mels, each.name)}
            yield Sample(each.name, {"vocoder": wave, **sounds}, pictures)

    def _wave(self, mel: Tensor) -> Tensor:
        """Return the samples of a mel, (T * hop,), on the CPU."""
        where = next(self._vocoder.parameters()).device
        return self._vocoder.decode(mel.unsqueeze(0).to(where), torch.tensor([len(mel)]))[0].cpu()
