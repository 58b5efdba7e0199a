"""What the component reads, and what it refuses."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import pytest
import torch

from kokoro_core import AudioSettings
from kokoro_core.contracts import Corpus, Frontend
from kokoro_core.errors import CorpusError
from kokoro_core.scaffold.examples.corpus.params import ExampleParams

AUDIO = AudioSettings()


class Letters(Frontend):
    """Three letters, so that the test depends on no frontend of others."""

    symbols = ("_", "a", "b", "c")

    def phonemize(self, text: str) -> list[str]:
        return list(text)


def write_wave(path: Path, samples: list[int], rate: int = AUDIO.sample_rate) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def corpus_of(folder: Path) -> Corpus:
    return ExampleParams(path=str(folder)).build(audio=AUDIO, frontend=Letters())


def test_an_utterance_is_its_text_and_the_mel_of_its_recording(tmp_path: Path) -> None:
    (tmp_path / "texts.tsv").write_text("one\tcab\ntwo\ta\n")
    write_wave(tmp_path / "one.wav", [0] * 20 * AUDIO.hop_length)
    write_wave(tmp_path / "two.wav", [0] * 10 * AUDIO.hop_length)
    first, second = corpus_of(tmp_path)
    assert (first.name, first.text, first.phoneme_indices.tolist()) == ("one", "cab", [3, 1, 2])
    assert (first.mel.shape, second.mel.shape) == ((20, 80), (10, 80))
    assert first.durations is None
    # The magnitude of silence is the root of 1e-9, below the floor.
    assert torch.allclose(first.mel, torch.tensor(AUDIO.floor).log(), atol=3)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "texts.tsv").write_text("one\tcab\ntwo\ta\nthree a\nfour\txyz\n")
    write_wave(tmp_path / "two.wav", [0] * 4000, rate=8000)
    write_wave(tmp_path / "four.wav", [0] * 4000)
    with pytest.raises(CorpusError, match="has 4 problems") as caught:
        corpus_of(tmp_path)
    for problem in (
        "`one` has no recording; `one.wav` is missing",
        "2 bytes a sample and 22050 Hz, not 1 of 2 and 8000",
        "`three a` must be a name, a tab and a text",
        "has no index for 'x', 'y', 'z'",
    ):
        assert problem in str(caught.value)


def test_a_folder_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"must have a file `texts\.tsv`"):
        corpus_of(tmp_path)
