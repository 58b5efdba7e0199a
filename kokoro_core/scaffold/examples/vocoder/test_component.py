"""What the component makes of mels."""

from __future__ import annotations

import pytest
import torch

from kokoro_core import AudioSettings
from kokoro_core.errors import AudioMismatch
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.scaffold.examples.vocoder.params import ExampleParams

AUDIO = AudioSettings()


def test_a_row_sounds_the_same_alone_and_in_a_batch_and_ends_in_silence() -> None:
    vocoder = ExampleParams().build(AUDIO)
    mel = torch.randn(2, 9, 80, generator=torch.Generator().manual_seed(0)) - 5
    both = vocoder.decode(mel, torch.tensor([9, 4]))
    assert both.shape == (2, 9 * AUDIO.hop_length)
    alone = vocoder.decode(mel[1:, :4], torch.tensor([4]))
    assert torch.equal(both[1, : 4 * AUDIO.hop_length], alone[0])
    assert not both[1, 4 * AUDIO.hop_length :].any()


def test_a_tone_is_loud_where_it_was_loud() -> None:
    seconds = torch.arange(AUDIO.sample_rate) / AUDIO.sample_rate
    mel_of = MelSpectrogram(audio=AUDIO)
    mel = mel_of(0.1 * (2 * torch.pi * 1000 * seconds).sin()).unsqueeze(0)
    wave = ExampleParams().build(AUDIO).decode(mel, torch.tensor([mel.shape[1]]))
    heard = mel_of(wave[0]).mean(0)
    assert abs(int(heard.argmax()) - int(mel[0].mean(0).argmax())) <= 1


def test_mels_whose_frames_stand_elsewhere_are_refused() -> None:
    with pytest.raises(AudioMismatch, match="must be `same` for this vocoder, not `center`"):
        ExampleParams().build(AudioSettings(padding="center"))
