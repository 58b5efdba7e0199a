"""How a trained vocoder does on recordings that were held out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from kokoro_core.contracts import NeuralVocoder, Utterance
from kokoro_core.nn.mel import MelSpectrogram


@dataclass(frozen=True)
class VocoderFigures:
    """Figures of whole recordings.

    Attributes:
        mel_error: Mean absolute distance of the waves' log mels from the recordings'.
        real_time_factor: Seconds of sound made in a second.
        utterances: How many recordings.
    """

    mel_error: float
    real_time_factor: float
    utterances: int

    def __str__(self) -> str:
        return (
            f"held out: log mels of the waves are {self.mel_error:.3f} off those of "
            f"{self.utterances} recordings; {self.real_time_factor:.0f} times real time"
        )


def measure_vocoder(
    vocoder: NeuralVocoder, pairs: Iterable[tuple[Tensor, Utterance]]
) -> VocoderFigures:
    """Let a vocoder make recordings again.

    Args:
        vocoder: In evaluation mode.
        pairs: Mels that it reads, (T, M), with the recordings that they are of.

    Raises:
        ValueError: There are none.
    """
    audio, to_mel = vocoder.audio, MelSpectrogram(audio=vocoder.audio)
    sums: list[Tensor] = []
    values, seconds, count = 0, 0.0, 0
    for mel, each in pairs:
        started = time.perf_counter()
        wave = vocoder.decode(mel.unsqueeze(0), torch.tensor([len(mel)]))[0]
        seconds += time.perf_counter() - started
        made = to_mel(wave)
        frames = min(len(made), len(each.mel))  # mels of centred frames have one more
        sums.append((made[:frames] - each.mel[:frames]).abs().sum())
        values, count = values + frames * audio.n_mels, count + 1
    if not count:
        raise ValueError("`pairs` must hold at least one recording to measure with.")
    made_seconds = values / audio.n_mels * audio.hop_length / audio.sample_rate
    return VocoderFigures(float(torch.stack(sums).sum()) / values, made_seconds / seconds, count)
