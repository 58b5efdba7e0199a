"""Recordings of a few tones, and a vocoder of a few hundred numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core import ModelSpec, load_spec
from kokoro_core.contracts import Utterance
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.training.vocoder.data import VocoderData
from tests.kokoro_plugins.training.conftest import ListCorpus

MELS, HOP, N_FFT = 6, 32, 128
TINY = {
    "mel_dim": MELS,
    "audio": {
        **{"sample_rate": 2000, "n_fft": N_FFT, "win_length": N_FFT, "hop_length": HOP},
        **{"n_mels": MELS, "fmax": 1000.0},
    },
    "vocoder": {"type": "vocos", "channels": 8, "expansion": 1, "num_layers": 1, "kernel_size": 3},
}
CROP = 2048 // HOP
"""As many frames as the longest spectrogram of the losses looks at."""


def tiny_spec() -> ModelSpec:
    return load_spec("voice", overrides=TINY)


SPEC = tiny_spec()


def recording(number: int, frames: int) -> Utterance:
    """Return an utterance of two tones with some noise, its wave by frames."""
    assert SPEC.audio is not None
    generator = torch.Generator().manual_seed(number)
    seconds = torch.arange(frames * HOP) / SPEC.audio.sample_rate
    tones = [torch.sin(2 * torch.pi * hertz * seconds) for hertz in (90 + 20 * number, 300)]
    noise = torch.randn(len(seconds), generator=generator)
    wave: Tensor = 0.3 * tones[0] + 0.1 * tones[1] + 0.02 * noise
    mel = MelSpectrogram(audio=SPEC.audio)(wave)
    return Utterance(
        f"u{number}",
        "",
        torch.tensor([1, 2]),
        None,
        mel,
        # (T * hop,) -> (T, hop)
        features={"wave": wave.view(frames, HOP)},
    )


def corpus() -> ListCorpus:
    """Return recordings of which one is shorter than a crop, the last one held out."""
    lengths = (CROP + 6, 3 * CROP, CROP // 2, 2 * CROP + 5)
    return ListCorpus([recording(number, frames) for number, frames in enumerate(lengths)])


def data(**settings: int) -> VocoderData:
    assert SPEC.audio is not None
    given: dict[str, Any] = {"rows": 2, "crop_frames": CROP, "holdout": 1, **settings}
    return VocoderData(corpus=corpus(), audio=SPEC.audio, **given)
