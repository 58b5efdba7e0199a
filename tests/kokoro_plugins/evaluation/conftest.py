"""A corpus of a few sentences, a small model that was not trained, and listeners that are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_core.contracts import Corpus
from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.sound import Samples
from tests.kokoro_plugins.training.built_corpus import corpus_of

TINY = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.ff_dim": 16,
    "encoder.num_heads": 2,
    "decoder.num_layers": 1,
    "decoder.ff_dim": 16,
    "decoder.num_heads": 2,
    "vocoder.iterations": 2,
}


class Scripted:
    """A recognizer that says what it is told to, one text after the other; the last stays."""

    identity = "scripted"

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.calls: list[tuple[int, int]] = []

    def transcribe(self, samples: Samples, sample_rate: int) -> str:
        self.calls.append((len(samples), sample_rate))
        return self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]


class Loudness:
    """A rater whose mark is the loudest sample."""

    identity = "loudness"

    def rate(self, samples: Samples, sample_rate: int) -> float:
        return float(np.abs(samples).max())


@pytest.fixture(scope="session")
def model() -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec(load_spec("fastspeech2-small", overrides=TINY))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation") / "corpus"


@pytest.fixture(scope="session")
def corpus(model: KokoroModel, folder: Path) -> Corpus:
    return corpus_of(model.spec, "espeak", folder, sentences=4)


@pytest.fixture
def listener() -> Callable[..., Listener]:
    def make(*texts: str) -> Listener:
        return Listener(recognizer=Scripted(*texts), rater=Loudness())

    return make
