import math

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from kokoro_core import load_spec
from kokoro_core.measures.mel_distortion import (
    mel_cepstra,
    mel_cepstral_distortion,
    natural_log_mel,
    warped,
)
from kokoro_core.params.audio import AudioSettings
from tests.kokoro_plugins.training.built_corpus import corpus_of


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def warped_distances(mine, theirs):
    """Dynamic time warping written out: the distances along the cheapest path."""
    costs = np.linalg.norm(mine[:, None] - theirs[None], axis=2)
    best = np.full(costs.shape, math.inf)
    came = np.zeros((*costs.shape, 2), dtype=int)
    for i in range(len(mine)):
        for j in range(len(theirs)):
            if i == j == 0:
                best[0, 0] = costs[0, 0]
                continue
            before = [(i - 1, j - 1), (i, j - 1), (i - 1, j)]
            before = [(a, b) for a, b in before if a >= 0 and b >= 0]
            came[i, j] = min(before, key=lambda place: best[place])
            best[i, j] = best[tuple(came[i, j])] + costs[i, j]
    place, path = (len(mine) - 1, len(theirs) - 1), []
    while place != (0, 0):
        path.append(costs[place])
        place = tuple(came[place])
    return [*path, costs[0, 0]]


def test_the_cepstra_are_those_of_the_fourier_transform():
    log_mel = noise(5, 80)
    even = np.concatenate([log_mel, log_mel[:, ::-1]], axis=1)
    spectrum = np.fft.fft(even, axis=1) * np.exp(-1j * np.pi * np.arange(160) / 160) / 160
    np.testing.assert_allclose(mel_cepstra(log_mel), spectrum.real[:, 1:14], atol=1e-12)


def test_the_cepstra_are_scipys_cosine_transform():
    log_mel = noise(6, 40)
    expected = scipy.fft.dct(log_mel, type=2, axis=1)[:, 1:14] / 80
    np.testing.assert_allclose(mel_cepstra(log_mel), expected, atol=1e-12)


def test_a_mel_has_no_distortion_from_itself_nor_from_a_louder_or_slower_one():
    log_mel = noise(9, 80)
    assert mel_cepstral_distortion(log_mel, log_mel) == pytest.approx(0, abs=1e-9)
    assert mel_cepstral_distortion(log_mel, log_mel + 3) == pytest.approx(0, abs=1e-9)
    assert mel_cepstral_distortion(log_mel, log_mel.repeat(2, axis=0)) == pytest.approx(0, abs=1e-9)


def test_the_scale_is_decibel_of_a_known_cosine():
    channels = np.arange(80) + 0.5
    cosine = 2 * 0.3 * np.cos(np.pi * 4 * channels / 80)
    flat = np.zeros((3, 80))
    expected = 10 / math.log(10) * math.sqrt(2) * 0.3
    assert mel_cepstral_distortion(flat + cosine, flat) == pytest.approx(expected)


@given(lengths=st.tuples(st.integers(1, 12), st.integers(1, 12)), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=30)
def test_the_alignment_is_that_of_time_warping_written_out(lengths, seed):
    mine, theirs = noise(lengths[0], 20, seed=seed), noise(lengths[1], 20, seed=seed + 1)
    distances = warped_distances(mel_cepstra(mine), mel_cepstra(theirs))
    expected = 10 * math.sqrt(2) / math.log(10) * np.mean(distances)
    assert mel_cepstral_distortion(mine, theirs) == pytest.approx(expected)


def test_the_alignment_pairs_each_frame_with_the_one_that_was_repeated():
    log_mel = noise(4, 80)
    found = warped(log_mel.repeat([1, 3, 1, 2], axis=0), log_mel)
    assert (found.mine, found.theirs) == ((0, 1, 2, 3, 4, 5, 6), (0, 1, 1, 1, 2, 3, 3))


@pytest.mark.parametrize(
    "audio",
    [
        AudioSettings(),
        AudioSettings(padding="center", mel_scale="htk", mel_norm=None, power=2.0),
        AudioSettings(n_fft=512, win_length=400, hop_length=128, n_mels=40, floor_mode="add"),
    ],
)
def test_the_log_mel_is_that_of_a_transform_written_out(audio):
    import librosa

    samples = noise(4000) * 0.1
    sides = (audio.n_fft - audio.hop_length) // 2 if audio.padding == "same" else audio.n_fft // 2
    padded = np.pad(samples, sides, mode="reflect")
    window = np.zeros(audio.n_fft)
    start = (audio.n_fft - audio.win_length) // 2
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(audio.win_length) / audio.win_length)
    window[start : start + audio.win_length] = hann
    starts = range(0, len(padded) - audio.n_fft + 1, audio.hop_length)
    frames = np.stack([padded[each : each + audio.n_fft] * window for each in starts])
    magnitudes = np.abs(np.fft.rfft(frames, axis=1)) ** audio.power
    filters = librosa.filters.mel(
        sr=22050, n_fft=audio.n_fft, n_mels=audio.n_mels, fmin=0, fmax=8000,
        htk=audio.mel_scale == "htk", norm=audio.mel_norm,
    )  # fmt: skip
    linear = magnitudes @ filters.T
    above = np.maximum(linear, 1e-5) if audio.floor_mode == "clamp" else linear + 1e-5
    np.testing.assert_allclose(natural_log_mel(samples, audio), np.log(above), atol=1e-4)


def test_the_log_mel_is_the_one_that_corpora_have(tmp_path):
    import soundfile

    spec = load_spec("voice")
    corpus = corpus_of(spec, "espeak", tmp_path / "c", sentences=1)
    assert spec.audio is not None
    samples, _ = soundfile.read(corpus[0].audio_path)
    mel = natural_log_mel(samples, spec.audio)
    np.testing.assert_allclose(mel, corpus[0].mel.numpy(), atol=0.02)


@pytest.mark.parametrize("length", [1, 256, 384, 1023])
def test_what_is_shorter_than_a_window_is_followed_by_silence(length):
    audio = AudioSettings()
    samples = np.random.default_rng(length).normal(size=length) * 0.1
    mel = natural_log_mel(samples, audio)
    expected = natural_log_mel(np.concatenate([samples, np.zeros(1024 - length)]), audio)
    assert np.array_equal(mel, expected)
    assert mel_cepstral_distortion(mel, expected[:2]) >= 0
