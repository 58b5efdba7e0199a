"""A corpus of noise with recordings, and shards of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kokoro_core.contracts import Corpus, Frontend, Utterance
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.shards.corpus import ShardCorpus
from kokoro_plugins.shards.writing import WriteSettings, write_shards

AUDIO = AudioSettings(n_mels=20)
SYMBOLS = ("<pad>", "a", "b", "c", "d", "ˈ", " ", "|")
HOP = AUDIO.hop_length


class Symbols(Frontend):
    """A frontend that only has symbols."""

    def __init__(self, symbols: Sequence[str] = SYMBOLS) -> None:
        self.symbols = tuple(symbols)

    def phonemize(self, text: str) -> list[str]:
        return list(text)


class ListCorpus(Corpus):
    """Utterances in a list, of which it counts those that are read."""

    def __init__(self, utterances: Sequence[Utterance], held_out: int | None = None) -> None:
        self.utterances = list(utterances)
        self.held_out = held_out
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Utterance:
        self.read.append(index)
        return self.utterances[index]


def make_utterance(number: int, folder: Path) -> Utterance:
    """Return an utterance of noise, its recording in a file."""
    draws = np.random.default_rng(number)
    phonemes = torch.from_numpy(draws.integers(1, len(SYMBOLS), 3 + number % 5))
    durations = torch.from_numpy(draws.integers(1, 9, len(phonemes)))
    path = folder / f"u{number}.wav"
    soundfile.write(path, draws.uniform(-0.5, 0.5, int(durations.sum()) * HOP), 22050, "PCM_16")
    samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    frames = int(durations.sum())
    return Utterance(
        name=f"u{number}",
        text=f"Nummer {number}: „ä|b“",
        phoneme_indices=phonemes,
        durations=durations,
        mel=MelSpectrogram(audio=AUDIO)(samples),
        audio_path=path,
        features={
            "speaker": ("Ada", "Bo")[number % 2],
            "pitch": torch.from_numpy(draws.normal(5, 1, frames)).float(),
            "mark": torch.from_numpy(draws.integers(0, 2, len(phonemes))),
            "level": torch.tensor(float(number)),
            "wave": samples.view(frames, HOP),
        },
    )


@pytest.fixture(scope="session")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("recordings")
    return [make_utterance(number, folder) for number in range(23)]


@pytest.fixture
def corpus(utterances: list[Utterance]) -> ListCorpus:
    return ListCorpus(utterances, held_out=4)


SETTINGS = WriteSettings(
    audio=AUDIO, symbols=SYMBOLS, features=("level", "mark", "pitch"), per_shard=5
)


def open_shards(
    path: Path, symbols: Sequence[str] = SYMBOLS, files_at_once: int | None = None
) -> ShardCorpus:
    return ShardCorpus(path=path, audio=AUDIO, symbols=symbols, files_at_once=files_at_once)


Write = Callable[..., Path]


@pytest.fixture
def write(corpus: ListCorpus, tmp_path: Path) -> Write:
    """Writes the corpus with some of the settings changed."""

    def written(name: str = "shards", source: Corpus | None = None, **changed: object) -> Path:
        write_shards(source or corpus, tmp_path / name, replace(SETTINGS, **changed))  # type: ignore[arg-type]
        return tmp_path / name

    return written


def assert_equal(found: Utterance, wanted: Utterance, features: Sequence[str]) -> None:
    """Fail unless two utterances are the same to the bit."""
    assert (found.name, found.text) == (wanted.name, wanted.text)
    pairs = [(found.phoneme_indices, wanted.phoneme_indices), (found.mel, wanted.mel)]
    if wanted.durations is not None:
        assert found.durations is not None
        pairs.append((found.durations, wanted.durations))
    pairs += [(found.features[name], wanted.features[name]) for name in features]
    for here, there in pairs:
        assert here.dtype == there.dtype
        assert torch.equal(here, there)
