"""The vocoder sounds as loud and as high as its mel says, row by row."""

from __future__ import annotations

import math

import pytest
import torch
from acme_sines.plugin import SinesParams

from kokoro_core import AudioSettings
from kokoro_core.nn.mel import MelSpectrogram

AUDIO = AudioSettings()


def tone(frequency: float, amplitude: float) -> torch.Tensor:
    seconds = torch.arange(AUDIO.sample_rate) / AUDIO.sample_rate
    return amplitude * (2 * math.pi * frequency * seconds).sin()


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("frequency", [300.0, 1000.0, 3000.0])
def test_a_tone_comes_back_at_its_height_and_about_as_loud(frequency: float, power: float) -> None:
    audio = AUDIO.model_copy(update={"power": power})
    mel = MelSpectrogram(audio=audio)(tone(frequency, 0.1)).unsqueeze(0)
    wave = SinesParams().build(audio).decode(mel, torch.tensor([mel.shape[1]]))[0]
    spectrum = torch.fft.rfft(wave).abs()
    hertz = float(spectrum.argmax()) * AUDIO.sample_rate / len(wave)
    assert abs(hertz - frequency) < 0.05 * frequency
    loudness = float(wave.square().mean().sqrt()) / (0.1 / math.sqrt(2))
    assert 0.5 < loudness < 2


def test_a_row_sounds_the_same_alone_and_in_a_batch_and_ends_in_silence() -> None:
    vocoder, hop = SinesParams().build(AUDIO), AUDIO.hop_length
    mel = torch.randn(2, 9, 80, generator=torch.Generator().manual_seed(0)) - 5
    both = vocoder.decode(mel, torch.tensor([9, 4]))
    alone = vocoder.decode(mel[1:, :4], torch.tensor([4]))
    assert torch.equal(both[1, : 4 * hop], alone[0])
    assert not both[1, 4 * hop :].any()
    assert float(both.abs().max()) <= 1


def test_the_logarithm_of_the_mel_does_not_matter() -> None:
    mel = torch.full((1, 3, 80), -4.0)
    decimal = AUDIO.model_copy(update={"log": "log10"})
    lengths = torch.tensor([3])
    expected = SinesParams().build(AUDIO).decode(mel, lengths)
    found = SinesParams().build(decimal).decode(mel / math.log(10), lengths)
    torch.testing.assert_close(found, expected)
