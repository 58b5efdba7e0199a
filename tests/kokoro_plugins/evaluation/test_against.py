import json

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_plugins.evaluation.against import as_dict, differences
from kokoro_plugins.evaluation.evaluate import evaluate
from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.report import report
from kokoro_plugins.evaluation.sentences import Sentence, held_out_sentences
from tests.kokoro_plugins.evaluation.conftest import Loudness, Scripted

pytest.importorskip("pyworld")


@pytest.fixture(scope="module")
def pair(model, corpus):
    """Two models on the same sentences; the second understands nothing."""
    torch.manual_seed(1)
    other = KokoroModel.from_spec(model.spec)
    recorded = held_out_sentences(corpus, 2)
    sentences = [Sentence(each.name, "a cat", each.utterance) for each in recorded]
    return [
        evaluate(
            each,
            sentences,
            listener=Listener(recognizer=Scripted(text), rater=Loudness()),
            beside=("true_mels",),
            name=name,
        )
        for each, text, name in ((model, "a cat", "good"), (other, "a dog", "bad"))
    ]


def test_the_models_are_compared_sentence_by_sentence(pair):
    good, bad = pair
    found = {each.measure.name: each for each in differences(good, bad)["model"]}
    assert (found["wer"].mine, found["wer"].theirs) == (0, 0.5)
    assert (found["wer"].low, found["wer"].high, found["wer"].verdict) == (-0.5, -0.5, "better")
    assert found["mos"].mine == good.value("model", "mos")
    assert found["mos"].theirs == bad.value("model", "mos")
    assert found["real_time_factor"].verdict == ""


def test_true_mels_through_the_same_vocoder_are_not_compared(pair):
    assert list(differences(*pair)) == ["model"]


def test_sentences_of_one_name_and_other_texts_are_other_sentences(pair, model, corpus):
    [last] = held_out_sentences(corpus, 1)
    renamed = [Sentence(last.name, "another text", last.utterance)]
    other = evaluate(model, renamed, beside=(), name="other")
    with pytest.raises(ValueError, match="`good` and `other` have no sentence in common"):
        differences(pair[0], other)


def test_the_terminal_says_both_figures_the_difference_and_how_sure_it_is(pair, capsys):
    report(pair[:1], pair[1], seed=3, page=None, as_json=False)
    said = capsys.readouterr().out
    assert "good against bad: paired bootstrap over 2 sentences, 10,000 draws, seed 3" in said
    [line] = [each for each in said.splitlines() if each.startswith("WER") and "better" in each]
    assert line.split() == ["WER", "0.0%", "50.0%", "-50.0", "-50.0", "to", "-50.0", "better"]


def test_json_has_intervals_and_differences(pair, capsys):
    report(pair[:1], pair[1], seed=0, page=None, as_json=True)
    [written] = json.loads(capsys.readouterr().out)["evaluations"]
    assert written["intervals"]["model"]["wer"] == [0, 0]
    expected = as_dict(pair[1], differences(*pair))
    assert written["against"] == json.loads(json.dumps(expected))
    assert written["against"]["name"] == "bad"
