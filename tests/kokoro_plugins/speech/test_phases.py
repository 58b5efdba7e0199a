"""The short-time Fourier transform and Griffin-Lim's phases, against librosa."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kokoro_plugins.speech.phases import ShortTimeFourier, find_wave


def _window(size: int, around: int = 0) -> Tensor:
    return F.pad(torch.hann_window(size, dtype=torch.float64), (around, around))


@pytest.mark.parametrize(("size", "hop"), [(64, 16), (64, 15), (64, 23), (48, 16), (64, 64)])
def test_both_directions_equal_librosas(size: int, hop: int) -> None:
    generator = torch.Generator().manual_seed(0)
    around = (64 - size) // 2
    fourier = ShortTimeFourier(_window(size, around), hop, 9)
    wave = torch.randn(64 + 8 * hop, generator=generator, dtype=torch.float64)
    options: dict[str, Any] = {"n_fft": 64, "hop_length": hop, "win_length": size, "center": False}
    expected = librosa.stft(wave.numpy(), dtype=np.complex128, **options)
    np.testing.assert_allclose(fourier.spectrum(wave).numpy().T, expected, atol=1e-12)
    # A spectrum that no waveform has: the least-squares inverse is more than an inverse.
    other = expected + np.exp(1j * np.arange(expected.size).reshape(expected.shape))
    found = fourier.wave(torch.from_numpy(other.T.copy()))
    expected_wave = librosa.istft(other, dtype=np.float64, **options)
    np.testing.assert_allclose(found.numpy(), expected_wave, atol=1e-9)


@pytest.fixture(scope="module")
def magnitudes() -> Tensor:
    """A gliding voice with breath in it; espeak-ng's own depends on what it spoke before."""
    seconds = np.arange(33075) / 22050
    angles = 2 * np.pi * np.cumsum(120 + 40 * np.sin(3 * seconds)) / 22050
    voice = sum(np.sin(harmonic * angles) / harmonic for harmonic in range(1, 40))
    breath = np.random.default_rng(0).standard_normal(len(seconds))
    samples = voice * (1.2 + np.sin(9 * seconds)) / 8 + 0.02 * breath
    return torch.from_numpy(np.abs(librosa.stft(samples, n_fft=1024, hop_length=256)).T).float()


def _inconsistency(wave: np.ndarray, magnitudes: Tensor) -> float:
    spectrum = librosa.stft(wave, n_fft=1024, hop_length=256, center=False)
    distance = np.linalg.norm(np.abs(spectrum).T - magnitudes.numpy())
    return float(distance / np.linalg.norm(magnitudes.numpy()))


def _found(magnitudes: Tensor, **options: Any) -> Tensor:
    settings: dict[str, Any] = {"iterations": 60, "momentum": 0.99, "seed": 0, **options}
    fourier = ShortTimeFourier(_window(1024).float(), 256, len(magnitudes))
    return find_wave(magnitudes, fourier, **settings)


def test_the_phases_are_as_consistent_as_librosas(magnitudes: Tensor) -> None:
    theirs = [
        librosa.griffinlim(
            magnitudes.numpy().T,
            n_iter=60,
            hop_length=256,
            center=False,
            momentum=0.99,
            random_state=seed,
        )
        for seed in range(20)
    ]
    expected = np.mean([_inconsistency(wave, magnitudes) for wave in theirs])
    ours = [_found(magnitudes, seed=seed).numpy() for seed in range(20)]
    assert np.mean([_inconsistency(wave, magnitudes) for wave in ours]) < expected * 1.02


def test_momentum_and_iterations_make_them_more_consistent(magnitudes: Tensor) -> None:
    usual = _inconsistency(_found(magnitudes).numpy(), magnitudes)
    assert usual < 0.9 * _inconsistency(_found(magnitudes, momentum=0.0).numpy(), magnitudes)
    assert usual < 0.9 * _inconsistency(_found(magnitudes, iterations=10).numpy(), magnitudes)


def test_silence_is_silent_beside_sound() -> None:
    magnitudes = torch.zeros(20, 33)
    assert not _found_small(magnitudes).any()
    magnitudes[:5] = 0.5
    wave = _found_small(magnitudes)
    assert wave.isfinite().all()
    assert wave[: 5 * 16].abs().max() > 1e3 * wave[12 * 16 :].abs().max()


def _found_small(magnitudes: Tensor) -> Tensor:
    fourier = ShortTimeFourier(_window(64).float(), 16, len(magnitudes))
    return find_wave(magnitudes, fourier, iterations=10, momentum=0.99, seed=0)
