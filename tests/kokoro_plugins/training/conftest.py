"""A corpus of noise with right shapes, and a small spec."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from kokoro_core import ModelSpec, load_spec
from kokoro_core.contracts.speech import Corpus, Utterance
from tests.kokoro_plugins.training.resume.forking import ForkServer

SMALL = {
    "hidden_dim": 32,
    "encoder.num_layers": 1,
    "encoder.ff_dim": 32,
    "decoder.num_layers": 1,
    "decoder.ff_dim": 32,
}


class ListCorpus(Corpus):
    """Utterances in a list."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self.utterances = list(utterances)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Utterance:
        return self.utterances[index]


def make_utterance(name: str, durations: Sequence[int], *, seed: int = 0) -> Utterance:
    """Return an utterance of noise around the usual mean of a log mel."""
    generator = torch.Generator().manual_seed(seed)
    phonemes = torch.randint(1, 63, (len(durations),), generator=generator)
    mel = torch.randn(sum(durations), 80, generator=generator) * 2 - 5
    return Utterance(name, name, phonemes, torch.tensor(durations), mel)


@pytest.fixture
def utterance() -> Callable[..., Utterance]:
    return make_utterance


@pytest.fixture
def corpus() -> ListCorpus:
    """Twelve utterances of 10 to 54 frames."""
    return ListCorpus([make_utterance(f"u{i}", [3, 0, 2 + i, 3 * i, 5], seed=i) for i in range(12)])


@pytest.fixture(scope="session")
def small_spec() -> ModelSpec:
    return load_spec("voice", overrides=SMALL)


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """A process with everything imported that runs jobs in forks of itself."""
    with ForkServer(tmp_path_factory.mktemp("jobs")) as server:
        yield server


@pytest.fixture(scope="session")
def uninterrupted(
    fork_server: ForkServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Return the folder of a training that nothing befell, every step saved, by precision."""

    @functools.cache
    def train(precision: str, seed: int = 0) -> Path:
        out = tmp_path_factory.mktemp("uninterrupted") / "steps"
        options = {"precision": precision, "seed": seed}
        ended = fork_server.run("train", out=str(out), every=1, **options)
        assert ended.status == 0, ended
        return out

    return train
