"""`TextToSpeech`: sentences of several texts in one batch are what each is alone."""

from __future__ import annotations

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.errors import FrontendError
from kokoro_core.speech import SpokenSentence, TextToSpeech, speak

SIZES = {"hidden_dim": 16, "vocoder.iterations": 1}
TEXTS = ("It is here.", "Why would anybody wait for so long a time?", "Yes!")


def small(name: str) -> KokoroModel:
    """Return a small model whose phonemes all last some frames."""
    torch.manual_seed(0)
    sizes = {**SIZES, "decoder.num_layers": 1, "encoder.num_layers": 1}
    model = KokoroModel.from_spec(name, overrides=sizes).eval()
    for parameter_name, parameter in model.named_parameters():
        if "stop" in parameter_name and parameter.dim() == 1:
            torch.nn.init.constant_(parameter, -100.0)
    return model


@pytest.fixture(params=["small", "parallel", "flow-small"])
def model(request: pytest.FixtureRequest) -> KokoroModel:
    if request.param == "flow-small":
        torch.manual_seed(0)
        return KokoroModel.from_spec("flow-small", overrides={"vocoder.iterations": 1}).eval()
    return small(request.param)


def assert_same(one: SpokenSentence, other: SpokenSentence) -> None:
    assert (one.text, one.frames, one.stop_reason) == (other.text, other.frames, other.stop_reason)
    assert (one.words, one.pause, one.notes) == (other.words, other.pause, other.notes)
    torch.testing.assert_close(one.mel, other.mel, rtol=0, atol=1e-4)  # logarithms near the floor
    torch.testing.assert_close(one.samples, other.samples, rtol=0, atol=1e-5)


def test_sentences_of_several_texts_sound_as_each_does_alone(model: KokoroModel) -> None:
    voiced = TextToSpeech(model)
    readings = [reading for text in TEXTS for reading in voiced.read(text)]
    seeds = [3, 4, 5]
    together = list(voiced.speak(readings, seed=seeds, max_mel_len=80))
    lengths = [len(each.samples) for each in together]
    assert len(set(lengths)) == 3
    for text, seed, spoken in zip(TEXTS, seeds, together, strict=True):
        [alone] = speak(model, text, seed=seed, max_mel_len=80).sentences
        assert_same(spoken, alone)


def test_seeds_are_those_of_rows_wherever_they_stand() -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec("flow-small", overrides={"vocoder.iterations": 1}).eval()
    voiced = TextToSpeech(model)
    [reading] = voiced.read(TEXTS[0])
    first, second, third = voiced.speak([reading] * 3, seed=[1, 2, 1], max_mel_len=40)
    assert_same(first, third)
    assert first.mel is not None
    assert second.mel is not None
    frames = min(first.frames, second.frames)
    assert not torch.allclose(first.mel[:frames], second.mel[:frames], atol=1e-3)


def test_the_mel_of_a_sentence_is_the_log_mel_that_the_vocoder_gets() -> None:
    model = small("parallel")
    voiced = TextToSpeech(model)
    [reading] = voiced.read(TEXTS[0])
    [spoken] = voiced.speak([reading])
    assert model.spec.audio is not None
    mel = model.generate(torch.tensor([reading.indices])).mel[0]
    assert spoken.mel is not None
    expected = mel * model.spec.audio.std + model.spec.audio.mean
    torch.testing.assert_close(spoken.mel, expected, rtol=0, atol=1e-5)


def test_a_row_that_is_not_finite_is_refused() -> None:
    model = small("parallel")
    with torch.no_grad():
        next(model.acoustic.decoder.parameters()).fill_(float("nan"))
    voiced = TextToSpeech(model)
    with pytest.raises(ValueError, match="first frame is not finite, so nothing was spoken"):
        voiced.speak(voiced.read(TEXTS[0]))


def test_what_cannot_be_read_is_refused_before_anything_is_spoken() -> None:
    voiced = TextToSpeech(small("parallel"))
    with pytest.raises(FrontendError):
        voiced.read("…")
    with pytest.raises(ValueError, match="`text` is empty; write symbols"):
        voiced.read("  ", phonemes=True)
    [one, two] = voiced.read("h ə . l oʊ", phonemes=True)
    assert (one.symbols, two.symbols) == (["h", "ə", "."], ["l", "oʊ"])


def test_a_model_without_a_frontend_has_no_speech() -> None:
    model = KokoroModel.from_spec("parallel", overrides={**SIZES, "frontend": None})
    with pytest.raises(ValueError, match="The model's spec has no `frontend`"):
        TextToSpeech(model)
