"""What the tests of `prepare` share: sines as recordings, and a few sentences by espeak-ng."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.sentences import make_sentences

Recorder = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    """Writes half a second of a sine below the test's folder."""

    def write(name: str, *, seconds: float = 0.5, rate: int = 22050, text: str = "") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
        soundfile.write(path, wave, rate)
        if text:
            path.with_suffix(".txt").write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory, espeak: Espeak) -> Path:
    """Eight sentences by espeak-ng, with durations, in the layout of LJSpeech."""
    folder = tmp_path_factory.mktemp("prepare") / "spoken"
    write_folder(folder, make_sentences(8, 0), espeak, MelSpectrogram(audio=AudioSettings()))
    return folder
