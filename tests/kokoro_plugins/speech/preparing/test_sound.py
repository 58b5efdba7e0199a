"""Recordings are settled: channels, rate, loudness, peaks and ends, and what is wrong is named."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from kokoro_plugins.speech.corpus_problems import UtteranceProblem
from kokoro_plugins.speech.preparing.sound import Sound, settle

RATE = 22050


def sine(seconds: float, amplitude: float, rate: int = RATE, hertz: float = 997.0) -> Any:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def settled(path: Path, samples: Any, rate: int = RATE, **settings: Any) -> Sound:
    soundfile.write(path, samples, rate, "FLOAT")
    sound = settle(path, **{"sample_rate": RATE, "loudness": None, "silence": None, **settings})
    assert isinstance(sound, Sound)
    return sound


def problem(path: Path, samples: Any) -> UtteranceProblem:
    soundfile.write(path, samples, RATE, "FLOAT")
    found = settle(path, sample_rate=RATE, loudness=-23.0, silence=0.1)
    assert isinstance(found, UtteranceProblem)
    return found


@pytest.mark.parametrize("seconds", [0.2, 3.0])
def test_a_sine_gets_the_amplitude_that_has_the_loudness(seconds: float, tmp_path: Path) -> None:
    """By ITU-R BS.1770 a sine of 997 Hz and amplitude 1 has -3.01 LUFS."""
    sound = settled(tmp_path / "a.wav", sine(seconds, 0.5), loudness=-23.0)
    amplitude = np.sqrt(2 * np.square(sound.samples / 32767).mean())
    assert 20 * math.log10(amplitude) - 3.01 == pytest.approx(-23.0, abs=0.15)
    assert not sound.is_at_peak


def test_peaks_stay_below_the_highest_where_loudness_asks_for_more(tmp_path: Path) -> None:
    wave = sine(2, 0.01)
    wave[20000] = 0.9
    sound = settled(tmp_path / "a.wav", wave, loudness=-23.0)
    assert sound.is_at_peak
    assert np.abs(sound.samples).max() == round(0.9 * 32767)


def test_without_a_loudness_samples_stay_as_they_are(tmp_path: Path) -> None:
    sound = settled(tmp_path / "a.wav", sine(1, 0.25))
    assert np.abs(sound.samples - sine(1, 0.25) * 32767).max() < 0.51  # rounded as float32
    assert (sound.gain, sound.start) == (0.0, 0.0)


def test_another_rate_is_resampled_to_the_same_sine(tmp_path: Path) -> None:
    sound = settled(tmp_path / "a.flac.wav", sine(1, 0.5, 44100, 440.0), 44100)
    expected = sine(1, 0.5, RATE, 440.0)
    assert len(sound.samples) == RATE
    inner = slice(1000, -1000)
    assert np.abs(sound.samples[inner] / 32767 - expected[inner]).max() < 1e-3


def test_channels_are_mixed(tmp_path: Path) -> None:
    both = np.stack([sine(0.5, 0.4), sine(0.5, 0.2)], axis=1)
    sound = settled(tmp_path / "a.wav", both)
    assert np.abs(sound.samples / 32767 - sine(0.5, 0.3)).max() < 1e-4


def test_silence_at_the_ends_is_cut_to_a_length_and_its_place_is_told(tmp_path: Path) -> None:
    quiet = 1e-4 * np.ones(RATE)
    wave = np.concatenate([quiet, sine(1, 0.5), quiet, sine(1, 0.5), quiet[: RATE // 20]])
    sound = settled(tmp_path / "a.wav", wave, silence=0.2)
    assert sound.start == pytest.approx(0.8, abs=0.011)
    assert len(sound.samples) / RATE == pytest.approx(0.2 + 3 + 0.05, abs=0.011)
    assert sound.seconds == pytest.approx(4.05, abs=0.001)


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (np.zeros(RATE), "silent"),
        (sine(1, 20000.0), "samples beyond [-1, 1]"),
        (np.clip(sine(1, 1.5), -1, 1), "clipped"),
        (np.append(sine(1, 0.5), np.nan), "not finite"),
        (np.stack([sine(1, 0.5), -sine(1, 0.5)], axis=1), "silent"),
        (np.zeros(0), "empty"),
    ],
    ids=["silent", "mis-scaled", "clipped", "nan", "opposite channels", "empty"],
)
def test_what_is_wrong_with_a_recording_is_named(samples: Any, kind: str, tmp_path: Path) -> None:
    assert problem(tmp_path / "a.wav", samples).kind == kind


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF?")
    found = settle(tmp_path / "a.wav", sample_rate=RATE, loudness=None, silence=None)
    assert isinstance(found, UtteranceProblem)
    assert found.kind == "unreadable"
    assert "cannot be read, a.wav" in found.message
