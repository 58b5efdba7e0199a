"""Magnitudes for a mel, against librosa's non-negative least squares on real speech."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from kokoro_core.nn.mel import mel_filters
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.mel_inversion import unmix


def _convergence(found: Tensor, true: Tensor) -> float:
    """Return the spectral convergence (Sturmel and Daudet, 2011): 0 is equal."""
    return float(torch.linalg.norm(found - true) / torch.linalg.norm(true))


@pytest.fixture(scope="module")
def magnitudes(espeak: Espeak) -> Tensor:
    """A real sentence, (T, F)."""
    samples = espeak.speak("A thirsty judge.").samples.astype(np.float64) / 32768
    spectrum = librosa.stft(samples, n_fft=1024, hop_length=256, center=False)
    return torch.from_numpy(np.abs(spectrum).T)


@pytest.mark.parametrize("power", [1, 2])
def test_the_magnitudes_of_speech_are_nearer_than_librosas(magnitudes: Tensor, power: int) -> None:
    filters = mel_filters(AudioSettings())
    mel = magnitudes**power @ filters.T
    inverted = librosa.feature.inverse.mel_to_stft(
        mel.numpy().T, sr=22050, n_fft=1024, power=power, fmin=0, fmax=8000
    )
    ours = unmix(filters.float(), mel.float()).double()
    theirs = torch.from_numpy(inverted.T) ** power
    assert (ours >= 0).all()
    assert _convergence(ours @ filters.T, mel) < _convergence(theirs @ filters.T, mel)
    root = 1 / power
    assert _convergence(ours**root, magnitudes) < _convergence(theirs**root, magnitudes)


def test_more_steps_come_nearer_to_the_mel(magnitudes: Tensor) -> None:
    filters = mel_filters(AudioSettings())
    mel = magnitudes @ filters.T
    few, usual, many = (
        _convergence(unmix(filters, mel, steps) @ filters.T, mel) for steps in (5, 20, 80)
    )
    assert many < usual < few
    assert usual < 2e-3


def test_what_no_filter_covers_is_zero_and_what_hears_nothing_does_not_matter() -> None:
    """The first bin has no filter; the second filter has no bin, the third no sound."""
    filters = torch.tensor([[0.0, 1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]])
    found = unmix(filters, torch.tensor([[3.0, 1e-5, 0.0], [0.0, 0.0, 0.0]]))
    assert found.isfinite().all()
    assert found[0, 0] == found[0, 3] == 0
    assert float(found[0, 1] + 0.5 * found[0, 2]) == pytest.approx(3.0)
    assert not found[1].any()
