"""The command `evaluate`, run as a user runs it."""

import json

import numpy as np
import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_core.checkpoints.vocoder_file import save_vocoder
from kokoro_core.cli.app import main
from kokoro_core.model.vocoder import assemble_vocoder
from kokoro_plugins.evaluation import run as running
from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.settings import BESIDE, EvaluationSettings, check_settings
from kokoro_plugins.vocos.params import VocosParams
from registry import installed_plugins
from tests.kokoro_plugins.evaluation.conftest import TINY, Loudness, Scripted

pytest.importorskip("pyworld")


def run(*args):
    """Run the command line and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *map(str, args)])
    return stop.value.code or 0


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    model.save(path)
    return path


@pytest.fixture
def fake_listener(monkeypatch):
    def make(settings, note):
        return Listener(recognizer=Scripted("hello"), rater=Loudness(), language=settings.language)

    monkeypatch.setattr(running, "listener_of", make)


def test_the_table_has_a_line_a_measure_and_a_column_a_system(
    checkpoint, corpus, folder, fake_listener, capsys
):
    assert run(checkpoint, "--data", folder, "--holdout", 2, "--threads", 1) == 0
    first, heading, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{checkpoint}: 2 sentences held out, ")
    for column in ("recordings", "true mels, vocoder", "model"):
        assert column in heading
    starts = [line.split("  ")[0] for line in lines]
    assert starts[:5] == ["WER", "CER", "Distill-MOS", "distortion, dB", "of the mel, dB"]
    assert starts[-1] == "real time"


def test_json_has_the_same_figures_and_texts_are_spoken_too(
    checkpoint, corpus, folder, fake_listener, capsys, tmp_path
):
    texts = tmp_path / "news.txt"
    texts.write_text("Hello.\nHello there.\n", encoding="utf-8")
    args = (checkpoint, "--data", folder, "--holdout", 1, "--texts", texts, "--json")
    assert run(*args, "--beside", "true_mels", "--threads", 1) == 0
    [evaluation] = json.loads(capsys.readouterr().out)["evaluations"]
    assert list(evaluation["systems"]) == ["true_mels", "model", "texts"]
    assert evaluation["systems"]["texts"]["wer"] == pytest.approx(1 / 3)
    assert len(evaluation["sentences"]) == 3


def test_a_vocoder_can_be_set_and_the_model_cannot(checkpoint, folder, corpus, capsys):
    args = (checkpoint, "--data", folder, "--recognizer", "none", "--no-mos")
    assert run(*args, "--set", "hidden_dim=8") == 1
    assert "`--set hidden_dim=8` changes the model" in capsys.readouterr().err


def test_a_vocoder_that_is_not_attached_can_be_listened_to(model, corpus, folder, tmp_path):
    torch.manual_seed(0)
    params = VocosParams(channels=8, num_layers=1)
    vocoder = assemble_vocoder(params, model.spec.audio)
    save_vocoder(tmp_path / "vocoder.safetensors", vocoder, params)
    model.save(tmp_path / "model.safetensors")
    settings = EvaluationSettings(
        data=folder,
        holdout=1,
        vocoder=tmp_path / "vocoder.safetensors",
        listens=False,
        mos=False,
        beside=("true_mels",),
    )
    [found] = running.run_evaluation(
        [tmp_path / "model.safetensors"], settings, installed_plugins(), print
    )
    utterance = corpus[len(corpus) - 1]
    expected = vocoder.decode(utterance.mel[None], torch.tensor([len(utterance.mel)]))[0]
    [outcome] = found.outcomes["true_mels"].values()
    np.testing.assert_allclose(outcome.rendition.samples, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "`evaluate` needs sentences: `--data FOLDER`"),
        (["--texts", "x.txt", "--holdout", "3"], "`--holdout` is of a corpus, and none is given"),
        (["--data", "x", "--speaker", "ann"], "`--speaker` says who speaks the texts"),
        (
            ["--data", "x", "--beside", "recordngs"],
            "beside, did you mean `recordings`",
        ),
        (["--data", "x", "--corpus-set", "cache"], "must be NAME=VALUE"),
        (["--data", "x", "--corpus-set", "path=y"], "is what `--data` says; use that"),
        (["--texts", "x", "--option", "pitch=high"], "`--option pitch=high` must end in a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(checkpoint, options, message, capsys):
    assert run(checkpoint, *options, "--recognizer", "none", "--no-mos") == 1
    assert message in capsys.readouterr().err


def test_a_model_without_audio_is_refused_before_the_corpus_is_read(tmp_path, capsys):
    tiny = {name: each for name, each in TINY.items() if not name.startswith("vocoder")}
    spec = load_spec("small", overrides={**tiny, "audio": None, "vocoder": None})
    KokoroModel.from_spec(spec).save(tmp_path / "silent.safetensors")
    options = ("--data", "nowhere", "--recognizer", "none", "--no-mos")
    assert run(tmp_path / "silent.safetensors", *options) == 1
    assert "silent.safetensors` has no `audio`, so it cannot be heard" in capsys.readouterr().err


def test_settings_have_as_usual_what_the_command_has():
    check_settings(EvaluationSettings(corpus="espeak"))
    assert set(EvaluationSettings().beside) < set(BESIDE)
