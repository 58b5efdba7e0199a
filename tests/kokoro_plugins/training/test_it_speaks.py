"""The known failure of this architecture: it trains well and does not speak."""

import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_plugins.training.data.collate import collate
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.settings import TrainingSettings
from tests.kokoro_plugins.training.built_corpus import corpus_of

SMALLER = {
    "hidden_dim": 128,
    "encoder.num_layers": 1,
    "encoder.ff_dim": 512,
    "decoder.num_layers": 2,
    "decoder.ff_dim": 512,
}


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_after_fitting_eight_utterances_the_model_speaks_each_of_them(tmp_path):
    spec = load_spec("voice", overrides=SMALLER)
    corpus = corpus_of(spec, "espeak", tmp_path / "corpus", sentences=8)
    assert spec.audio is not None
    data = AlignedSpeech(
        corpus=corpus, audio=spec.audio, pad_id=spec.pad_id, batch_frames=350, holdout=0
    )
    seed_everything(0)
    model = KokoroModel.from_spec(spec)
    settings = TrainingSettings(lr=2e-3, warmup_steps=50, precision="32", device="cpu")
    history = fit(model, data, StepBudget(800), settings)
    figures = evaluate(model, [collate(list(corpus), spec.audio, spec.pad_id)])

    assert history.training[-1].losses["loss"] < 0.05 * history.training[0].losses["loss"]
    assert figures.ended_in_time == 8
    assert figures.ratio <= 1.25
