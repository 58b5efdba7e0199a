"""The vocoder `vocos`: its inverse STFT against formulas, lengths, rows, chunks and reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kokoro_core import AudioSettings, SpecError, load_spec
from kokoro_core.errors import AudioMismatch
from kokoro_plugins.vocos.params import VocosParams
from kokoro_plugins.vocos.spectra import InverseSpectrogram
from kokoro_plugins.vocos.vocoder import Vocos

MELS = 5
AT_24_KHZ = AudioSettings(
    sample_rate=24000, n_fft=1200, win_length=1200, hop_length=300, fmax=12000.0
)
FRAMES = [(16, 4), (18, 6), (14, 4), (10, 4), (8, 4)]
"""Samples of a frame and of a hop: of the usual quarter, of others, and just two hops."""


def audio(n_fft: int = 16, hop: int = 4) -> AudioSettings:
    return AudioSettings(n_mels=MELS, n_fft=n_fft, win_length=n_fft, hop_length=hop)


def small(n_fft: int = 16, hop: int = 4, **settings: Any) -> Vocos:
    """Return a vocoder of drawn weights that are large enough for every frame to count."""
    torch.manual_seed(0)
    given = {"channels": 6, "expansion": 2, "num_layers": 2, "kernel_size": 3, **settings}
    vocoder = VocosParams(**given).build(audio(n_fft, hop)).double()
    with torch.no_grad():
        for each in vocoder.parameters():
            nn.init.normal_(each, std=0.4)
        vocoder.head.weight.mul_(0.3)
        vocoder.head.bias.mul_(0.3).sub_(1)
    return vocoder.eval()


def inverse(n_fft: int, hop: int) -> InverseSpectrogram:
    made = InverseSpectrogram(n_fft=n_fft, hop_length=hop).double()
    made.window = torch.hann_window(n_fft, dtype=torch.float64)  # not only widened
    return made


def added_up(spectra: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """Return the wave of the spectra of a row by the formulas, sample by sample."""
    frames, bins = spectra.shape
    samples, numbers = np.arange(n_fft), np.arange(bins)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * samples / n_fft)
    twice = np.where((numbers == 0) | (numbers == n_fft / 2), 1, 2)
    wave = np.zeros((frames - 1) * hop + n_fft)
    weight = np.zeros_like(wave)
    for t in range(frames):
        waves = spectra[t][:, None] * np.exp(2j * np.pi * np.outer(numbers, samples) / n_fft)
        place = slice(t * hop, t * hop + n_fft)
        wave[place] += window * (twice[:, None] * waves.real).sum(0) / n_fft
        weight[place] += window**2
    cut = (n_fft - hop) // 2
    kept = slice(cut, cut + frames * hop)
    return wave[kept] / weight[kept]


@pytest.mark.parametrize(("n_fft", "hop"), FRAMES)
def test_spectra_are_added_up_as_the_formulas_say(n_fft: int, hop: int) -> None:
    torch.manual_seed(0)
    spectra = torch.randn(2, 5, n_fft // 2 + 1, dtype=torch.complex128)
    found = inverse(n_fft, hop)(spectra)
    assert found.shape == (2, 5 * hop)
    for row, each in enumerate(spectra.numpy()):
        each[:, 0], each[:, -1] = each[:, 0].real, each[:, -1].real  # as real waves have them
        wanted = torch.from_numpy(added_up(each, n_fft, hop))
        torch.testing.assert_close(found[row], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("n_fft", "hop"), FRAMES)
def test_the_spectra_of_a_wave_are_that_wave_again(n_fft: int, hop: int) -> None:
    wave = torch.randn(1, 9 * hop, dtype=torch.float64)
    around = nn.functional.pad(wave, ((n_fft - hop) // 2,) * 2)
    window = torch.hann_window(n_fft, dtype=torch.float64)
    spectra = torch.fft.rfft(around.unfold(1, n_fft, hop) * window)
    found = inverse(n_fft, hop)(spectra)
    torch.testing.assert_close(found, wave, rtol=1e-10, atol=1e-12)


def test_a_frames_spectrum_is_the_exponential_of_its_two_halves_and_bounded() -> None:
    vocoder = small()
    x = torch.randn(1, 3, 6, dtype=torch.float64)
    magnitude, phase = vocoder.head(x).chunk(2, -1)
    wanted = magnitude.exp() * torch.exp(1j * phase)
    torch.testing.assert_close(vocoder.spectra(x), wanted)
    nn.init.constant_(vocoder.head.bias, 100.0)
    torch.testing.assert_close(vocoder.spectra(x).abs(), torch.full((1, 3, 9), 8.0).double())


@pytest.mark.parametrize(
    ("settings", "parameters", "samples"),
    [(AudioSettings(), 2_183_906, 256), (AT_24_KHZ, 2_223_506, 300)],
    ids=["22 kHz", "24 kHz"],
)
def test_the_usual_settings_have_their_size_and_a_hop_a_frame(
    settings: AudioSettings, parameters: int, samples: int
) -> None:
    vocoder = VocosParams().build(settings)
    assert sum(each.numel() for each in vocoder.parameters()) == parameters
    wave = vocoder.decode(torch.full((1, 3, 80), -5.0), torch.tensor([3]))
    assert wave.shape == (1, 3 * samples)
    assert 0 < wave.abs().max() < 1


def test_its_mels_are_normalised_by_what_recordings_are_like() -> None:
    vocoder, mel = small(), torch.randn(1, 6, MELS, dtype=torch.float64)
    mean, deviation = torch.randn(MELS).double(), torch.rand(MELS).double() + 0.5
    torch.testing.assert_close(vocoder.mean, torch.full((MELS,), audio().mean).double())
    torch.testing.assert_close(vocoder.scale, torch.full((MELS,), audio().std).double())
    vocoder.fit_mels(torch.zeros(MELS), torch.ones(MELS))
    wanted = vocoder(mel)
    vocoder.fit_mels(mean, deviation)
    torch.testing.assert_close(vocoder(mel * deviation + mean), wanted)
    assert {"mean", "scale"} <= vocoder.state_dict().keys()


def reach_of(vocoder: Vocos, frames: int, hop: int) -> int:
    """Return how far from its own the frames are that a sample depends on, by gradients."""
    middle = frames // 2
    mel = torch.randn(1, frames, MELS, dtype=torch.float64, requires_grad=True)
    wave = vocoder(mel)
    farthest = 0
    for sample in (middle * hop, (middle + 1) * hop - 1):
        (gradient,) = torch.autograd.grad(wave[0, sample], mel, retain_graph=True)
        seen = gradient[0].abs().sum(1).nonzero().flatten()
        farthest = max(farthest, int((seen - middle).abs().max()))
    return farthest


@pytest.mark.parametrize(("n_fft", "hop"), FRAMES)
@pytest.mark.parametrize("settings", [{}, {"kernel_size": 5, "num_layers": 1}, {"kernel_size": 1}])
def test_the_declared_reach_is_that_of_the_gradients(
    n_fft: int, hop: int, settings: dict[str, Any]
) -> None:
    vocoder = small(n_fft, hop, **settings)
    assert reach_of(vocoder, 41, hop) == vocoder.receptive_field


def test_a_row_is_the_same_alone_and_in_a_batch_and_silent_after_its_length() -> None:
    vocoder, mel, lengths = small(), torch.randn(3, 7, MELS), torch.tensor([7, 4, 1])
    mel[1, 4:] = torch.nan
    waves = vocoder.decode(mel, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = vocoder.decode(mel[row : row + 1, :length], lengths[row : row + 1])
        assert torch.equal(waves[row, : length * 4], alone[0])
        assert alone.any()
        assert not waves[row, length * 4 :].any()


@pytest.mark.parametrize("sizes", [[40], [1] * 40, [3, 17, 20], [30, 1, 9]])
@pytest.mark.parametrize(("n_fft", "hop"), FRAMES)
def test_chunks_together_are_the_whole(sizes: list[int], n_fft: int, hop: int) -> None:
    vocoder, mel = small(n_fft, hop), torch.randn(40, MELS)
    whole = vocoder.decode(mel[None], torch.tensor([40]))[0]
    parts = [*vocoder.stream(mel.split(sizes))]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
    assert len(parts) > 1 or sizes == [40]


def test_samples_beyond_what_is_played_are_cut_off() -> None:
    vocoder = small()
    nn.init.zeros_(vocoder.head.weight)
    # An impulse in the middle of each frame: all magnitudes at their bound, in turns of phase.
    halves = torch.full((9,), 9.0), torch.pi * torch.arange(9)
    vocoder.head.bias.data.copy_(torch.cat(halves))
    wave = vocoder(torch.randn(1, 20, MELS, dtype=torch.float64))
    assert wave.abs().max() == 1
    assert wave.abs().min() < 1e-6


@pytest.mark.parametrize(
    ("n_fft", "hop", "message"),
    [(16, 9, "not 16 for 9; set `vocoder.n_fft`, for example to 27"), (16, 5, "not 16 for 5")],
)
def test_frames_that_do_not_reach_over_the_hop_are_refused(
    n_fft: int, hop: int, message: str
) -> None:
    with pytest.raises(AudioMismatch, match=message):
        VocosParams().build(audio(n_fft, hop))
    assert VocosParams(n_fft=3 * hop).build(audio(n_fft, hop)).inverse.reach == 1


def test_a_kernel_without_a_middle_is_a_problem_of_the_spec() -> None:
    with pytest.raises(SpecError, match="must be odd, so that a frame is in the middle, not 4"):
        load_spec("voice", overrides={"vocoder": {"type": "vocos", "kernel_size": 4}})


def test_in_half_precision_spectra_are_computed_in_32_bits() -> None:
    vocoder = small().to(torch.bfloat16)
    mel = torch.randn(1, 5, MELS)
    wave = vocoder.decode(mel, torch.tensor([5]))
    wanted = small().decode(mel, torch.tensor([5]))
    assert wave.dtype == torch.float32
    assert (wave - wanted).abs().mean() < 0.2 * wanted.abs().mean()
