"""The vocoder `griffin_lim`: a waveform whose mel is the one that was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core.contracts import Vocoder
from kokoro_core.errors import AudioMismatch
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.griffin_lim import GriffinLim
from kokoro_plugins.speech.params import GriffinLimParams


@pytest.fixture(scope="module")
def samples(espeak: Espeak) -> Tensor:
    spoken = espeak.speak("The little cat sat by the fire.").samples
    return torch.from_numpy(spoken.astype(np.float32) / 32768)


@pytest.fixture(scope="module")
def quick(audio: AudioSettings) -> GriffinLim:
    return GriffinLim(audio=audio, iterations=2)


def _decode(vocoder: Vocoder, mel: Tensor) -> Tensor:
    return vocoder.decode(mel.unsqueeze(0), torch.tensor([len(mel)]))[0]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"padding": "center"},
        {"power": 2.0, "floor": 1e-7},
        {"log": "log10"},
        {"floor_mode": "add"},
        {"mel_scale": "htk", "mel_norm": None},
    ],
    ids=str,
)
def test_the_mel_of_the_waveform_is_near_the_mel_given(
    samples: Tensor, change: dict[str, Any]
) -> None:
    audio = AudioSettings(**change)
    make_mel = MelSpectrogram(audio=audio)
    mel = make_mel(samples)
    wave = _decode(GriffinLim(audio=audio, iterations=30), mel)
    again = make_mel(wave)[: len(mel)]
    scale = np.log(10) if audio.log == "log10" else 1.0
    distance = (again - mel[: len(again)]).abs().mean().item() * scale / audio.power
    # In nats of magnitude; two sentences are 2 apart, noise of the same spectrum 0.5.
    assert distance < 0.3


def test_the_waveform_is_in_step_with_the_recording(samples: Tensor, audio: AudioSettings) -> None:
    """The envelopes match without a shift: what was reflected at the ends has been taken off."""
    wave = _decode(GriffinLim(audio=audio, iterations=30), MelSpectrogram(audio=audio)(samples))
    envelopes = [
        torch.nn.functional.avg_pool1d(each[: len(wave)].abs()[None, None], 128)[0, 0].numpy()
        for each in (samples, wave)
    ]
    centred = [each - each.mean() for each in envelopes]
    correlation = np.correlate(centred[1], centred[0], mode="full")
    assert abs(int(correlation.argmax()) - (len(centred[0]) - 1)) <= 1


def test_more_iterations_come_nearer(samples: Tensor, audio: AudioSettings) -> None:
    make_mel = MelSpectrogram(audio=audio)
    mel = make_mel(samples)
    few, many = (
        (make_mel(_decode(GriffinLim(audio=audio, iterations=n), mel)) - mel).abs().mean()
        for n in (1, 30)
    )
    assert many < few * 0.9


@settings(max_examples=10)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=3), extra=st.integers(0, 4))
@example(lengths=[1], extra=0)
@example(lengths=[1, 12], extra=3)
def test_each_row_is_what_it_is_alone_and_silent_after_its_length(
    quick: GriffinLim, lengths: list[int], extra: int
) -> None:
    frames = max(lengths) + extra
    generator = torch.Generator().manual_seed(1)
    mel = torch.randn(len(lengths), frames, 80, generator=generator) - 5
    for row, length in enumerate(lengths):
        mel[row, length:] = float("nan")
    waves = quick.decode(mel, torch.tensor(lengths))
    assert waves.shape == (len(lengths), frames * 256)
    assert waves.dtype == torch.float32
    for row, length in enumerate(lengths):
        alone = quick.decode(mel[row : row + 1, :length], torch.tensor([length]))[0]
        assert torch.equal(waves[row, : length * 256], alone)
        assert not waves[row, length * 256 :].any()


def test_a_loud_mel_stays_within_one(quick: GriffinLim) -> None:
    wave = _decode(quick, torch.full((10, 80), 5.0))
    assert wave.abs().max().item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("loudness", [100.0, 1000.0, -1000.0])
@pytest.mark.parametrize("floor_mode", ["clamp", "add"])
def test_a_mel_however_loud_or_quiet_gives_finite_samples(loudness: float, floor_mode: Any) -> None:
    vocoder = GriffinLim(audio=AudioSettings(floor_mode=floor_mode), iterations=2)
    wave = _decode(vocoder, torch.full((10, 80), loudness))
    assert wave.isfinite().all()
    assert wave.abs().max().item() == pytest.approx(float(loudness > 0), abs=1e-6)


def test_speech_comes_back_at_its_loudness(samples: Tensor, audio: AudioSettings) -> None:
    wave = _decode(GriffinLim(audio=audio, iterations=30), MelSpectrogram(audio=audio)(samples))
    assert (wave.std() / samples[: len(wave)].std()).item() == pytest.approx(1.0, abs=0.1)


def test_a_silent_mel_gives_silence(quick: GriffinLim) -> None:
    assert _decode(quick, torch.full((10, 80), float(np.log(1e-5)))).abs().max() < 1e-3


def test_the_seed_decides_the_phases(audio: AudioSettings) -> None:
    mel = torch.randn(6, 80) - 4
    waves = [
        _decode(GriffinLimParams(iterations=2, seed=seed).build(audio), mel) for seed in (0, 0, 1)
    ]
    assert torch.equal(waves[0], waves[1])
    assert not torch.allclose(waves[0], waves[2], atol=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_mel_that_is_not_finite_is_refused(quick: GriffinLim, value: float) -> None:
    mel = torch.zeros(2, 5, 80)
    mel[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"`mel` has a NaN or an infinity in row 1"):
        quick.decode(mel, torch.tensor([5, 5]))
    quick.decode(mel, torch.tensor([5, 2]))  # past the length it is silence, whatever it holds


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((1, 5, 79), [5], r"`mel` must be \(B, T, 80\), not \(1, 5, 79\)"),
        ((5, 80), [5], r"`mel` must be \(B, T, 80\), not \(5, 80\)"),
        ((2, 5, 80), [5], r"`lengths` must have one number for each of the 2 rows"),
        ((1, 5, 80), [6], r"`lengths` must lie within 1 and the 5 frames .* row 0 has 6"),
        ((1, 5, 80), [0], r"`lengths` must lie within 1 and the 5 frames .* row 0 has 0"),
    ],
)
def test_shapes_and_lengths_that_do_not_fit_are_refused(
    quick: GriffinLim, shape: tuple[int, ...], lengths: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quick.decode(torch.zeros(shape), torch.tensor(lengths))


def test_mels_of_other_settings_are_refused(quick: GriffinLim, audio: AudioSettings) -> None:
    quick.check_audio(audio.model_copy(update={"mean": 0.0}))
    with pytest.raises(AudioMismatch, match=r"`GriffinLim` was made for other mels.*hop_length"):
        quick.check_audio(AudioSettings(hop_length=300))
