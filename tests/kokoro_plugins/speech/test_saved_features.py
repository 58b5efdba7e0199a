"""Features beside a recording count only as long as it and the settings stay what they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from kokoro_core import load_spec
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech import features
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.features import RecordingFeatures
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.saved_features import file_of, read_features, write_features

AUDIO = AudioSettings()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    write_folder(tmp_path / "c", ["Oh no."], Espeak("en-us"), MelSpectrogram(audio=AUDIO))
    return tmp_path / "c" / "wavs" / "espeak-0001.wav"


def test_what_was_written_is_read_until_the_recording_or_the_settings_change(
    recording: Path,
) -> None:
    written = {"pitch": torch.arange(3.0), "voiced": torch.ones(3)}
    write_features(recording, AUDIO, written)
    found = read_features(recording, AUDIO)
    assert {name: each.tolist() for name, each in found.items()} == {
        "pitch": [0, 1, 2],
        "voiced": [1, 1, 1],
    }
    assert read_features(recording, AudioSettings(mean=-1.0, std=9.0)).keys() == written.keys()
    assert read_features(recording, AudioSettings(hop_length=128)) == {}
    samples, rate = soundfile.read(recording)
    soundfile.write(recording, samples / 2, rate)
    assert read_features(recording, AUDIO) == {}


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", b"x" * 99])
def test_a_damaged_file_counts_for_nothing(damage: bytes, recording: Path) -> None:
    write_features(recording, AUDIO, {"pitch": torch.zeros(3)})
    file_of(recording).write_bytes(damage)
    assert read_features(recording, AUDIO) == {}


def test_training_reads_the_pitch_that_prepare_computed(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec("fastspeech2-small")
    [utterance] = prepare(recording.parents[1], tmp_path / "out", spec).utterances
    path = tmp_path / "out" / "wavs" / recording.name
    expected = features.pitch_of(soundfile.read(path, dtype="float32")[0], AUDIO, utterance.frames)[
        0
    ]
    assert expected is not None

    def refuse(*arguments: object) -> None:
        raise AssertionError("pitch is computed again")

    monkeypatch.setattr(features, "pitch_of", refuse)
    kept = dict[str, Tensor]()
    found = RecordingFeatures(path, MelSpectrogram(audio=AUDIO), {}, kept)
    assert torch.equal(found["pitch"], torch.from_numpy(expected).float())
    assert {"pitch", "voiced", "energy"} <= kept.keys()
