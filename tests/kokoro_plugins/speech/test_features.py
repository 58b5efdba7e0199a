"""Pitch and energy of recordings, and folders without durations or with speakers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.features import framed, middles_of, pitch_of
from kokoro_plugins.speech.folder import FolderCorpus
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.params import FolderCorpusParams
from kokoro_plugins.speech.speakers_file import read_speakers

RATE = 22050


def buzz(hertz: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ten harmonics of a fundamental that has one value a sample."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 11))
    return (0.1 * np.asarray(harmonics)).astype(np.float32)


@pytest.mark.parametrize("padding", ["same", "center"])
def test_the_pitch_of_a_tone_that_rises_is_that_of_the_middle_of_each_frame(padding: str) -> None:
    audio = AudioSettings.model_validate({"padding": padding})
    hertz = np.linspace(110, 220, RATE)
    samples = buzz(hertz)
    frames = MelSpectrogram(audio=audio).num_frames(RATE)
    pitch, voiced = pitch_of(samples, audio, frames)
    assert pitch is not None
    middle = np.clip(np.round(middles_of(audio, frames) * RATE).astype(int), 0, RATE - 1)
    inner = slice(6, -6)
    assert np.abs(pitch - np.log(hertz[middle]))[inner].max() < 0.02
    assert voiced[inner].all()


def test_where_nobody_speaks_the_pitch_goes_on_from_one_voice_to_the_next() -> None:
    audio = AudioSettings()
    samples = buzz(np.full(RATE, 150.0))
    samples[RATE // 3 : 2 * RATE // 3] = 0
    frames = MelSpectrogram(audio=audio).num_frames(RATE)
    pitch, voiced = pitch_of(samples, audio, frames)
    assert pitch is not None
    assert np.abs(pitch - np.log(150)).max() < 0.05
    third = frames // 3
    assert not voiced[third + 4 : 2 * third - 4].any()


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_energy_is_the_norm_of_the_magnitudes_that_numpy_finds(power: float) -> None:
    audio = AudioSettings(power=power, padding="center")
    samples = buzz(np.full(8192, 150.0))
    found = MelSpectrogram(audio=audio).energy(torch.from_numpy(samples))
    padded = np.pad(samples.astype(np.float64), audio.n_fft // 2, mode="reflect")
    window = np.hanning(audio.n_fft + 1)[:-1]
    for frame in (3, 10, 20):
        start = frame * audio.hop_length
        spectrum = np.fft.rfft(padded[start : start + audio.n_fft] * window)
        wanted = float(np.sqrt((np.abs(spectrum) ** 2).sum()))
        assert float(found[frame]) == pytest.approx(wanted, rel=1e-4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wavs").mkdir()
    for name, hertz in (("one", 120.0), ("two", 240.0)):
        soundfile.write(tmp_path / "wavs" / f"{name}.wav", buzz(np.full(RATE, hertz)), RATE)
    (tmp_path / "metadata.csv").write_text("one|Hello.\ntwo|Good day.\n", encoding="utf-8")
    return tmp_path


def opened(folder: Path, frontend: EspeakFrontend, audio: AudioSettings) -> FolderCorpus:
    return FolderCorpus(path=folder, audio=audio, frontend=frontend, has_durations=False)


def test_without_durations_the_frontend_makes_the_phonemes(
    folder: Path, frontend: EspeakFrontend, audio: AudioSettings
) -> None:
    params = FolderCorpusParams(path=str(folder))
    assert not params.has_durations
    corpus = params.build(audio=audio, frontend=frontend)
    for utterance in corpus:
        assert utterance.durations is None
        assert utterance.phoneme_indices.tolist() == frontend.encode(utterance.text)
    assert corpus.durations_of(0) is None


def test_a_file_of_durations_is_read_if_it_is_there_and_asked_for(folder: Path) -> None:
    (folder / "durations.csv").touch()
    assert FolderCorpusParams(path=str(folder)).has_durations
    assert not FolderCorpusParams(path=str(folder), durations=False).has_durations
    assert FolderCorpusParams(path=str(folder / "nowhere")).has_durations


def test_features_are_made_when_they_are_asked_for_and_once(
    folder: Path, frontend: EspeakFrontend, audio: AudioSettings
) -> None:
    utterance = opened(folder, frontend, audio)[1]
    pitch = utterance.features["pitch"]
    assert len(pitch) == len(utterance.mel)
    assert float(pitch.median()) == pytest.approx(np.log(240), abs=0.01)
    assert utterance.features["pitch"] is pitch
    assert set(utterance.features) == {"energy", "mark", "pitch", "voiced", "wave"}
    with pytest.raises(KeyError):
        utterance.features["tilt"]


def test_a_recording_without_a_voice_has_no_pitch_and_says_so(
    folder: Path, frontend: EspeakFrontend, audio: AudioSettings
) -> None:
    noise = 0.1 * np.sin(np.arange(RATE) * 1.5)  # 5,264 Hz: no voice
    soundfile.write(folder / "wavs" / "one.wav", noise, RATE)
    corpus = opened(folder, frontend, audio)
    with pytest.raises(CorpusError, match="`one` has a recording without a voiced frame, wavs/one"):
        corpus[0].features["pitch"]


def test_a_file_of_speakers_gives_each_utterance_its_speaker(
    folder: Path, frontend: EspeakFrontend, audio: AudioSettings
) -> None:
    params = FolderCorpusParams(path=str(folder))
    assert "speaker" not in params.gives_features
    (folder / "speakers.csv").write_text("one|anna\ntwo|ben\n", encoding="utf-8")
    assert "speaker" in params.gives_features
    corpus = params.build(audio=audio, frontend=frontend)
    assert [each.features["speaker"] for each in corpus] == ["anna", "ben"]
    (folder / "speakers.csv").write_text("one|anna\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"`two` has no line in speakers\.csv"):
        opened(folder, frontend, audio)


def test_bad_lines_of_speakers_are_named() -> None:
    speakers, problems = read_speakers(["one|anna", "two", "three|a|b", "one|ben"])
    assert speakers == {"one": "anna"}
    said = [str(each) for each in problems]
    assert len(said) == 3
    assert "must be followed by one field" in said[0]
    assert "is there twice" in said[2]


def test_a_text_that_cannot_be_read_is_named(
    folder: Path, frontend: EspeakFrontend, audio: AudioSettings
) -> None:
    (folder / "metadata.csv").write_text("one|...\ntwo|Good day.\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="`one` has a text that the frontend cannot read"):
        opened(folder, frontend, audio)


@pytest.mark.parametrize(("samples", "frames"), [(1000, 3), (1000, 4)])
def test_the_samples_of_a_frame_are_its_hop_and_silence_behind_the_end(
    samples: int, frames: int
) -> None:
    audio = AudioSettings()
    wave = np.arange(1, samples + 1, dtype=np.float32)
    made = framed(wave, audio, frames)
    assert made.shape == (frames, 256)
    wanted = np.concatenate([wave, np.zeros(256)])[: frames * 256]
    np.testing.assert_array_equal(made.numpy().ravel(), wanted)
