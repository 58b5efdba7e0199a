"""Formats, whole and as streams."""

from __future__ import annotations

import io
import math
import wave

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from kokoro_core.speaking.sound_files import as_16_bit
from kokoro_plugins.serve.encoding import MEDIA_TYPES, encoded, encoder, wav_head

RATE = 22050


@pytest.fixture
def tone() -> Tensor:
    return 0.5 * torch.sin(2 * math.pi * 440 * torch.arange(2 * RATE) / RATE)


def streamed(form: str, samples: Tensor, *, pieces: int) -> list[bytes]:
    writer = encoder(form, RATE, whole=False)
    return [*(writer.add(each) for each in samples.chunk(pieces)), writer.end()]


def read(data: bytes) -> np.ndarray:
    """Return all blocks of a sound, whatever its head says of its length.

    soundfile cannot read a FLAC whose head does not say it, as other decoders can; so it is told
    more than there are, in the 36 bits that count samples.
    """
    if data[:4] == b"fLaC" and not any(data[22:26]):
        data = data[:22] + (2 * RATE).to_bytes(4, "big") + data[26:]
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return np.concatenate(list(file.blocks(4096)))


@pytest.mark.parametrize("form", ["mp3", "flac", "opus"])
def test_a_stream_decodes_to_the_sound_and_flows_as_it_is_made(form: str, tone: Tensor) -> None:
    parts = streamed(form, tone, pieces=8)
    heard = read(b"".join(parts))
    rate = 24000 if form == "opus" else RATE
    assert len(heard) / rate == pytest.approx(2, abs=0.1)
    middle = heard[rate // 2 : rate]
    assert np.abs(np.fft.rfft(middle)).argmax() * rate / len(middle) == pytest.approx(440, abs=2)
    assert len(b"".join(parts[:-2])) > len(b"".join(parts)) / 2


@pytest.mark.parametrize("form", sorted(MEDIA_TYPES))
def test_a_whole_sound_has_its_exact_length(form: str, tone: Tensor) -> None:
    data = encoded(form, tone.split(7000), RATE)
    if form == "pcm":
        assert len(data) == 2 * 2 * 24000
    else:
        samples, rate = soundfile.read(io.BytesIO(data))
        assert len(samples) == 2 * rate


@pytest.mark.parametrize("form", ["pcm", "wav", "flac"])
def test_what_loses_nothing_is_the_same_whatever_pieces_it_comes_in(
    form: str, tone: Tensor
) -> None:
    one, many = (b"".join(streamed(form, tone, pieces=each)) for each in (1, 9))
    if form == "flac":
        np.testing.assert_array_equal(read(one), read(many))
    else:
        assert one == many


def test_a_wav_is_that_of_the_standard_library(tone: Tensor) -> None:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(as_16_bit(tone))
    assert encoded("wav", [tone], RATE) == target.getvalue()
    assert b"".join(streamed("wav", tone, pieces=3)) == wav_head(RATE, None) + as_16_bit(tone)


def test_samples_beyond_the_scale_are_cut_in_every_format() -> None:
    loud = torch.full((RATE,), 3.0)
    assert encoded("pcm", [loud], 24000) == as_16_bit(loud)
    assert np.abs(soundfile.read(io.BytesIO(encoded("flac", [loud], RATE)))[0]).max() <= 1
