"""The mel spectrogram, against librosa and numpy in float64."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.nn.mel import MelSpectrogram, mel_filters
from kokoro_core.params.audio import AudioSettings

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def audio() -> AudioSettings:
    return AudioSettings()


def _noise(num_samples: int) -> np.ndarray:
    tone = np.sin(np.arange(num_samples) * 0.05) * 0.3
    return np.asarray(tone + RNG.normal(0, 0.05, num_samples))


def _reference(samples: np.ndarray, audio: AudioSettings) -> np.ndarray:
    """The same with librosa: pad by hand, magnitude, librosa's filters, floor, logarithm."""
    both = audio.n_fft if audio.padding == "center" else audio.n_fft - audio.hop_length
    padded = np.pad(samples, (both // 2, both - both // 2), mode="reflect")
    spectrum = librosa.stft(
        padded,
        n_fft=audio.n_fft,
        hop_length=audio.hop_length,
        win_length=audio.win_length,
        center=False,
        dtype=np.complex128,
    )
    mel = librosa.feature.melspectrogram(
        S=np.sqrt(np.abs(spectrum) ** 2 + 1e-9) ** audio.power,
        sr=audio.sample_rate,
        n_fft=audio.n_fft,
        n_mels=audio.n_mels,
        fmin=audio.fmin,
        fmax=audio.fmax,
        htk=audio.mel_scale == "htk",
        norm=audio.mel_norm,
    )
    floored = np.maximum(mel, audio.floor) if audio.floor_mode == "clamp" else mel + audio.floor
    return (np.log(floored) if audio.log == "ln" else np.log10(floored)).T


VARIANTS: list[dict[str, Any]] = [
    {},
    {"padding": "center"},
    {"power": 2.0},
    {"power": 1.5, "floor": 1e-7},
    {"log": "log10", "floor": 1e-10},
    {"floor_mode": "add"},
    {"mel_scale": "htk", "mel_norm": None, "power": 2.0, "padding": "center"},
    {"n_fft": 512, "win_length": 400, "hop_length": 100, "n_mels": 40, "sample_rate": 16000},
    {"hop_length": 255},
    {"n_mels": 100, "fmin": 50.0, "fmax": 11025.0},
]


@pytest.mark.parametrize("change", VARIANTS, ids=str)
def test_the_mel_equals_librosas_for_every_setting(change: dict[str, Any]) -> None:
    audio = AudioSettings(**change)
    samples = _noise(9000)
    ours = MelSpectrogram(audio=audio).double()(torch.from_numpy(samples)).numpy()
    expected = _reference(samples, audio)
    assert ours.shape == expected.shape
    # The filters are kept in float32, which is where the tolerance comes from.
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("change", VARIANTS, ids=str)
def test_the_filters_are_librosas(change: dict[str, Any]) -> None:
    audio = AudioSettings(**change)
    expected = librosa.filters.mel(
        sr=audio.sample_rate,
        n_fft=audio.n_fft,
        n_mels=audio.n_mels,
        fmin=audio.fmin,
        fmax=audio.fmax,
        htk=audio.mel_scale == "htk",
        norm=audio.mel_norm,
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_filters(audio).numpy(), expected, rtol=1e-9, atol=1e-14)


def test_channels_that_cover_no_bin_are_said() -> None:
    audio = AudioSettings(n_fft=256, win_length=256, hop_length=64)
    with pytest.warns(UserWarning, match="Empty filters"):
        theirs = librosa.filters.mel(sr=22050, n_fft=256, n_mels=80, fmin=0, fmax=8000)
    empty = int((theirs.max(axis=1) == 0).sum())
    with pytest.warns(UserWarning, match=rf"{empty} of 80 mel channels cover no bin .* channel 0;"):
        mel_filters(audio)


def test_float32_is_close_to_float64(audio: AudioSettings) -> None:
    samples = _noise(9000)
    ours = MelSpectrogram(audio=audio)(torch.from_numpy(samples).float())
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours.numpy(), _reference(samples, audio), rtol=0, atol=2e-3)


def test_one_frame_equals_a_fourier_sum_written_out(audio: AudioSettings) -> None:
    samples = _noise(4096)
    start = 4 * 256 - 384
    time = np.arange(1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / 1024)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(513), time) / 1024)
    magnitude = np.sqrt(np.abs(waves @ (window * samples[start : start + 1024])) ** 2 + 1e-9)
    filters = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    expected = np.log(np.maximum(filters @ magnitude, 1e-5))
    ours = MelSpectrogram(audio=audio).double()(torch.from_numpy(samples))[4]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=2e-5)


def test_digital_silence_is_near_the_floor(audio: AudioSettings) -> None:
    mel = MelSpectrogram(audio=audio)(torch.zeros(5000))
    filters = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    expected = np.log(np.maximum(filters.sum(1) * np.sqrt(1e-9), 1e-5))
    np.testing.assert_allclose(mel.numpy(), np.broadcast_to(expected, mel.shape), atol=1e-5)


@given(num_samples=st.integers(1024, 6000), hop=st.sampled_from([256, 255, 100, 1024]))
@example(num_samples=1024, hop=1024)
@example(num_samples=1279, hop=256)
@example(num_samples=1280, hop=256)
def test_with_padding_same_there_are_samples_over_hop_frames(num_samples: int, hop: int) -> None:
    mel = MelSpectrogram(audio=AudioSettings(hop_length=hop))
    assert mel.num_frames(num_samples) == num_samples // hop
    assert mel(torch.zeros(num_samples)).shape == (num_samples // hop, 80)


def test_with_padding_center_there_is_one_frame_more() -> None:
    mel = MelSpectrogram(audio=AudioSettings(padding="center"))
    assert mel.num_frames(2560) == 11
    assert mel(torch.zeros(2560)).shape == (11, 80)


def test_a_batch_equals_its_rows(audio: AudioSettings) -> None:
    mel = MelSpectrogram(audio=audio).double()
    rows = torch.from_numpy(np.stack([_noise(3000), _noise(3000)]))
    batch = mel(rows)
    assert batch.shape == (2, 11, 80)
    for row in range(2):
        torch.testing.assert_close(batch[row], mel(rows[row]), rtol=0, atol=1e-9)


def test_gradients_reach_the_samples_even_of_silence(audio: AudioSettings) -> None:
    samples = torch.zeros(2000, requires_grad=True)
    MelSpectrogram(audio=audio)(samples).sum().backward()
    assert samples.grad is not None
    assert samples.grad.isfinite().all()


@pytest.mark.parametrize(("hop", "least"), [(256, 385), (1024, 1024), (100, 463)])
def test_samples_that_are_too_short_are_refused(hop: int, least: int) -> None:
    mel = MelSpectrogram(audio=AudioSettings(hop_length=hop))
    assert mel(torch.zeros(least)).shape == (least // hop, 80)
    message = rf"`samples` must be at least {least} long .* not {least - 1}\."
    with pytest.raises(ValueError, match=message):
        mel(torch.zeros(least - 1))
    with pytest.raises(ValueError, match=message):
        mel.num_frames(least - 1)


def test_samples_of_another_shape_are_refused(audio: AudioSettings) -> None:
    with pytest.raises(ValueError, match=r"`samples` must be \(S,\) or \(B, S\), not \(1, 1, 9\)"):
        MelSpectrogram(audio=audio)(torch.zeros(1, 1, 9))


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`hop_length` must be at most n_fft = 1024, not 2048"):
        MelSpectrogram(audio=AudioSettings().model_copy(update={"hop_length": 2048}))
