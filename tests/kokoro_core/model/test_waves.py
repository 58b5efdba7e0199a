"""A decoder that gives a waveform: trained, spoken with, drawn, refused where it does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel, SpecError
from kokoro_core.spec.views.graph import model_graph
from kokoro_core.speech import speak
from kokoro_plugins.training.evaluation import evaluate, mels_of
from tests.kokoro_core.model.test_version_2 import (
    DURATIONS,
    INDICES,
    LENGTHS,
    batch,
    model,
    plugins,
    spec,
)

HOP = 64
WAVES: dict[str, Any] = {
    "decoder": {"type": "samples"},
    "audio": {"n_mels": 5, "n_fft": 256, "win_length": 256, "hop_length": HOP, "fmax": 8000},
}


def wave_batch() -> Any:
    wave = torch.randn(3, 8, HOP, dtype=torch.float64)
    return batch(wave=wave.masked_fill((torch.arange(8) >= LENGTHS[:, None]).unsqueeze(2), 0))


def test_it_learns_from_the_samples_of_each_frame_and_no_mel_is_asked_of_it() -> None:
    tts, given = model(**WAVES), wave_batch()
    output = tts(given)
    assert output.mel.shape == (3, 8, HOP)
    assert sorted(output.losses) == ["decoder.l1", "duration", "encoder.size"]
    error = (output.mel - given.extras["wave"]).abs().sum() / LENGTHS.sum()
    torch.testing.assert_close(output.losses["decoder.l1"], error, rtol=1e-12, atol=0)


def test_it_speaks_samples_that_are_silent_after_each_row() -> None:
    tts = model(**WAVES)
    spoken = tts.generate(INDICES, durations=DURATIONS)
    assert spoken.mel.shape == (3, int(LENGTHS.max()), HOP)
    assert spoken.lengths.tolist() == LENGTHS.tolist()
    alone = tts.generate(INDICES[1:2, :2], durations=DURATIONS[1:2, :2])
    length = int(LENGTHS[1])
    torch.testing.assert_close(spoken.mel[1:2, :length], alone.mel, rtol=1e-12, atol=1e-14)
    assert (spoken.mel[1, length:] == 0).all()


def test_a_text_becomes_samples_without_a_vocoder() -> None:
    frontend = {"type": "espeak", "voice": "en-us"}
    tts = model(**WAVES, vocab_size=63, frontend=frontend)
    made = speak(tts, "Two words.", max_mel_len=30, dtype=None)
    assert made.samples.shape == (made.frames * HOP,)
    assert made.sample_rate == 22050
    indices = torch.tensor([tts.spec.frontend.build(tts.spec.sizes).encode("Two words.")])  # type: ignore[union-attr]
    expected = tts.generate(indices, max_mel_len=30).mel.float().flatten()
    torch.testing.assert_close(made.samples, expected, rtol=0, atol=0)


def test_its_errors_are_those_of_the_mel_of_what_it_says() -> None:
    tts, given = model(**WAVES), wave_batch()
    rows = torch.randn(3, 8, HOP, dtype=torch.float64)
    mels = mels_of(tts, rows, LENGTHS)
    assert mels.shape == (3, 8, 5)
    longest = int(LENGTHS.argmax())
    assert mels[longest, : int(LENGTHS[longest])].abs().min() > 0
    assert (mels[1, int(LENGTHS[1]) :] == 0).all()
    assert evaluate(tts, [given]).frames == int(LENGTHS.sum())
    assert mels_of(model(), rows, LENGTHS) is rows


def test_the_picture_ends_in_a_waveform() -> None:
    graph = model_graph(spec(**WAVES), plugins().components)
    [out] = [each for each in graph.nodes if each.kind == "output"]
    assert out.name == "wave"
    labels = {(each.source, each.target): each.label for each in graph.edges}
    assert labels["decoder", "wave"] == f"wave (B, T, {HOP})"
    assert labels["decoder", "losses"] == "l1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"audio": None},
            "gives a waveform, and `audio` is null, whose `hop_length` says",
        ),
        ({"vocoder": {"type": "griffin_lim"}}, "nothing is left for `vocoder`; write `vocoder: nu"),
        ({"decoder": {"type": "samples", "hop": 63}}, "63 samples are not the 64 of a frame"),
        ({"decoder": {"type": "lossless_samples"}}, "`loss.mel_l1` cannot be computed from; let"),
        ({"decoder": {"type": "wave_by_frame"}}, "is fed with the mel that it made; choose a para"),
        ({"postnet": {"type": "conv"}}, "the postnet takes the `mel` of the decoder, which gives"),
    ],
)
def test_what_does_not_fit_it_is_refused_at_its_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        KokoroModel.from_spec(spec(**{**WAVES, **changes}), plugins=plugins())
    assert message in str(caught.value)
