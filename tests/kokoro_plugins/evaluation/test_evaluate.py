from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_core.errors import CorpusError
from kokoro_core.measures.mel_distortion import natural_mels
from kokoro_plugins.evaluation import measuring, speaker
from kokoro_plugins.evaluation.evaluate import evaluate
from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.pitch import pitch_of
from kokoro_plugins.evaluation.run import given_to
from kokoro_plugins.evaluation.sentences import Sentence, held_out_sentences
from kokoro_plugins.evaluation.settings import BESIDE, EvaluationSettings
from tests.kokoro_plugins.evaluation.conftest import TINY, Scripted

pytest.importorskip("pyworld")


@pytest.fixture(scope="module")
def sentences(corpus):
    return held_out_sentences(corpus, 2)


@pytest.fixture(scope="module")
def evaluation(model, sentences):
    from tests.kokoro_plugins.evaluation.conftest import Loudness

    texts = [Sentence("t", "Two words.")]
    listener = Listener(recognizer=Scripted("two words"), rater=Loudness())
    return evaluate(model, [*sentences, *texts], listener=listener, beside=BESIDE, name="tiny")


def test_every_system_says_every_sentence_that_it_can(evaluation, sentences):
    said = {system: sorted(outcomes) for system, outcomes in evaluation.outcomes.items()}
    recorded = sorted(each.name for each in sentences)
    systems = ["recordings", "true_mels", "true_durations", "model", "texts"]
    assert list(said) == systems
    assert said.pop("texts") == ["t"]
    assert all(names == recorded for names in said.values())


def test_a_recording_is_heard_as_it_lies_there_and_has_no_distortion(evaluation, sentences):
    for each in sentences:
        outcome = evaluation.outcomes["recordings"][each.name]
        samples, rate = soundfile.read(each.utterance.audio_path, dtype="float32")
        assert rate == outcome.rendition.sample_rate
        np.testing.assert_array_equal(outcome.rendition.samples, samples)
    assert evaluation.value("recordings", "sound_distortion") == pytest.approx(0, abs=1e-9)
    assert evaluation.value("recordings", "pitch_error") == 0
    assert evaluation.value("recordings", "duration_error") == 0
    assert evaluation.value("recordings", "real_time_factor") is None


def test_the_true_mel_goes_through_the_vocoder_of_the_spec(model, evaluation, sentences):
    utterance = sentences[0].utterance
    vocoder = model.spec.vocoder.build(model.spec.audio)
    expected = vocoder.decode(utterance.mel[None], torch.tensor([len(utterance.mel)]))[0]
    rendition = evaluation.outcomes["true_mels"][sentences[0].name].rendition
    np.testing.assert_allclose(rendition.samples, expected.numpy(), atol=1e-4)
    assert evaluation.value("true_mels", "sound_distortion") > 0
    assert evaluation.value("true_mels", "mel_distortion") == pytest.approx(0, abs=1e-9)


def test_with_true_durations_the_model_is_as_long_as_the_recording(evaluation, sentences):
    for each in sentences:
        rendition = evaluation.outcomes["true_durations"][each.name].rendition
        assert rendition.durations == tuple(each.utterance.durations.tolist())
        assert len(rendition.mel) == len(each.utterance.mel)
    assert evaluation.value("true_durations", "duration_error") == 0
    assert evaluation.value("model", "duration_error") > 0


def test_with_its_own_durations_the_model_says_what_generate_gives(model, evaluation, sentences):
    utterance = sentences[0].utterance
    made = model.generate(utterance.phoneme_indices[None], seed=0, max_mel_len=10_000)
    rendition = evaluation.outcomes["model"][sentences[0].name].rendition
    assert rendition.durations == tuple(made.durations[0].tolist())
    audio = model.spec.audio
    log_mel = made.mel[0].double() * audio.std + audio.mean
    np.testing.assert_allclose(rendition.mel, log_mel.numpy(), atol=1e-9)
    ends = [each.end for each in rendition.phonemes]
    frame = audio.hop_length / audio.sample_rate
    np.testing.assert_allclose(ends, np.cumsum(rendition.durations) * frame)


def test_word_errors_are_added_up_over_sentences_and_not_averaged(model, corpus):
    sentences = held_out_sentences(corpus, 2)
    first = Sentence("a", "cow", sentences[0].utterance)
    second = Sentence("b", "cat dog tree house", sentences[1].utterance)
    listener = Listener(recognizer=Scripted("pig", "cat dog tree house"))
    found = evaluate(model, [first, second], listener=listener, beside=())
    assert found.value("model", "wer") == pytest.approx(1 / 5)
    errors = found.outcomes["model"]["a"].errors
    assert errors is not None
    assert errors.confusions == (("cow", "pig"),)


def test_what_sounds_the_same_is_heard_once(model, sentences):
    recognizer = Scripted("x")
    listener = Listener(recognizer=recognizer)
    for _ in range(2):
        evaluate(model, sentences, listener=listener, beside=("recordings",))
    assert len(recognizer.calls) == 2 * len(sentences)
    assert {rate for _, rate in recognizer.calls} == {22050}


def test_without_listeners_no_text_and_no_mark_is_there(model, sentences):
    values = evaluate(model, sentences, beside=()).values("model")
    assert not {"wer", "cer", "mos"} & set(values)
    assert {"sound_distortion", "mel_distortion", "length_ratio", "whole"} <= set(values)


def test_figures_do_not_depend_on_which_sentences_come_before(model, evaluation, sentences):
    alone = evaluate(model, sentences[1:], beside=())
    name = sentences[1].name
    mine, theirs = alone.outcomes["model"][name], evaluation.outcomes["model"][name]
    np.testing.assert_array_equal(mine.rendition.samples, theirs.rendition.samples)


def test_json_has_each_sentence_with_its_own_figures(evaluation, sentences):
    written = evaluation.as_dict()
    assert written["name"] == "tiny"
    assert [each["name"] for each in written["sentences"]] == [*(s.name for s in sentences), "t"]
    text = written["sentences"][-1]
    assert text["systems"]["texts"]["heard"] == "2 words"
    assert text["systems"]["texts"]["wer"] == 0
    assert written["systems"]["model"]["wer"] == evaluation.value("model", "wer")


def test_an_aligner_is_measured_by_the_boundaries_that_it_finds(corpus):
    torch.manual_seed(0)
    spec = load_spec("fastspeech2-small", overrides={**TINY, "aligner.type": "forward_sum"})
    found = evaluate(
        KokoroModel.from_spec(spec), held_out_sentences(corpus, 1), beside=("aligner",)
    )
    [outcome] = found.outcomes["aligner"].values()
    [sentence] = found.sentences
    utterance = sentence.utterance
    assert outcome.rendition.durations is not None
    assert utterance is not None
    assert utterance.durations is not None
    mine = np.cumsum(np.array(outcome.rendition.durations))[:-1]
    true = np.cumsum(utterance.durations.numpy())[:-1]
    errors = np.abs(mine - true) * 1000 * 256 / 22050
    assert found.value("aligner", "boundary_error") == pytest.approx(errors.mean())
    assert found.value("aligner", "boundaries_near") == pytest.approx((errors <= 25).mean())


SPEAKERS = {
    "speakers": ["ann", "bob"],
    "conditioners": {"speaker": {"type": "lookup", "add": True}},
}


def test_a_sentence_is_spoken_by_the_speaker_who_recorded_it(corpus):
    torch.manual_seed(0)
    spec = load_spec("fastspeech2-small", overrides={**TINY, **SPEAKERS})
    model = KokoroModel.from_spec(spec)
    for each in model.parameters():
        torch.nn.init.normal_(each, std=0.2)  # what is added for a speaker begins at 0
    recorded = corpus[0]
    said = []
    for name in ("ann", "bob"):
        utterance = replace(recorded, features={"speaker": name})
        found = evaluate(model, [Sentence("s", "a text", utterance)], beside=())
        made = model.generate(
            recorded.phoneme_indices[None], speaker=[name], seed=0, max_mel_len=10_000
        )
        assert spec.audio is not None
        expected = made.mel[0].double() * spec.audio.std + spec.audio.mean
        mel = np.array(found.outcomes["model"]["s"].rendition.mel)
        np.testing.assert_allclose(mel, expected.numpy(), atol=1e-9)
        said.append(mel)
    assert said[0].shape != said[1].shape or not np.allclose(said[0], said[1])


def test_options_are_given_beside_the_speakers_of_a_corpus(corpus):
    torch.manual_seed(0)
    model = KokoroModel.from_spec(load_spec("fastspeech2-small", overrides={**TINY, **SPEAKERS}))
    settings = EvaluationSettings(corpus="espeak", options=("pitch.control=1.5",))
    given = given_to(model, settings)
    assert given == {"options": {"pitch.control": 1.5}}
    utterance = replace(corpus[0], features={"speaker": "ann"})
    found = evaluate(model, [Sentence("s", "a text", utterance)], beside=(), given=given)
    assert "model" in found.outcomes


def test_what_a_recording_is_compared_by_is_measured_once(model, sentences, monkeypatch):
    measured = []

    def counted(samples, audio, frames):
        measured.append(len(samples))
        return pitch_of(samples, audio, frames)

    monkeypatch.setattr(measuring, "pitch_of", counted)
    found = evaluate(model, sentences[:1], beside=("recordings", "true_mels"))
    lengths = [
        len(one.rendition.samples) for each in found.outcomes.values() for one in each.values()
    ]
    assert sorted(measured) == sorted(lengths)
    assert len(found.outcomes) == 3


def test_the_time_of_speaking_is_without_that_of_measuring(model, sentences, monkeypatch):
    now = [0.0]

    def slow(mel, lengths, audio):
        now[0] += 100
        return natural_mels(mel, lengths, audio)

    monkeypatch.setattr(speaker, "natural_mels", slow)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    found = evaluate(model, sentences[:1], beside=("true_mels",))
    times = [one.rendition.seconds for each in found.outcomes.values() for one in each.values()]
    assert times == [0, 0]
    assert now[0] >= 200


def test_a_corpus_without_a_feature_that_speaking_needs_is_refused(corpus):
    spec = load_spec("fastspeech2-small", overrides={**TINY, **SPEAKERS})
    with pytest.raises(CorpusError, match="speaks with `speaker`, which the corpus does not have"):
        evaluate(KokoroModel.from_spec(spec), held_out_sentences(corpus, 1), beside=())


@pytest.mark.parametrize(
    ("section", "message"),
    [("vocoder", "has no `vocoder`, so it cannot be heard"), ("frontend", "has no `frontend`")],
)
def test_a_model_that_cannot_be_heard_is_refused(sentences, section, message):
    tiny = {name: each for name, each in TINY.items() if not name.startswith(section)}
    spec = load_spec("fastspeech2-small", overrides={**tiny, section: None})
    with pytest.raises(ValueError, match=message):
        evaluate(KokoroModel.from_spec(spec), sentences, beside=())
