"""A corpus of noise with right shapes, and a small spec."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from kokoro_core import ModelSpec, load_spec
from kokoro_core.outer_contracts import Corpus, Utterance

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
