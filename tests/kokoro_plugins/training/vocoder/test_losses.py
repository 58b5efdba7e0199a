"""The losses of waves against formulas, and their weighted sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.training.vocoder.beginning import build_vocoder
from kokoro_plugins.training.vocoder.losses import RESOLUTIONS, WaveLosses
from kokoro_plugins.training.vocoder.settings import WaveLossWeights
from kokoro_plugins.training.vocoder.task import VocoderTask
from registry import installed_plugins
from tests.kokoro_plugins.training.vocoder.recordings import CROP, HOP, SPEC, data

SAMPLES = CROP * HOP


def waves(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pair = torch.randn(2, 2, SAMPLES, generator=generator) * 0.1
    return pair[0], pair[1]


def losses() -> WaveLosses:
    assert SPEC.audio is not None
    return WaveLosses(audio=SPEC.audio)


def magnitudes(wave: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """Return the magnitudes of centred frames with a Hann window, float64."""
    around = np.pad(wave, n_fft // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    count = 1 + (len(around) - n_fft) // hop
    frames = np.stack([around[t * hop : t * hop + n_fft] * window for t in range(count)])
    return np.abs(np.fft.rfft(frames))


def test_each_loss_is_its_formula() -> None:
    made, recorded = waves()
    found = losses()(made, recorded)
    convergence, magnitude = [], []
    for n_fft, hop in RESOLUTIONS:
        one, other = (
            np.stack([magnitudes(row, n_fft, hop) for row in each.double().numpy()])
            for each in (made, recorded)
        )
        convergence.append(np.sqrt(((other - one) ** 2).sum() / (other**2).sum()))
        magnitude.append(np.abs(np.log(other) - np.log(one)).mean())
    assert SPEC.audio is not None
    mel = MelSpectrogram(audio=SPEC.audio)
    wanted = {
        "mel": float((mel(made) - mel(recorded)).abs().mean()),
        "convergence": float(np.mean(convergence)),
        "magnitude": float(np.mean(magnitude)),
    }
    assert {name: float(each) for name, each in found.items()} == pytest.approx(wanted, rel=1e-4)


def test_equal_waves_have_no_loss_and_silence_has_finite_gradients() -> None:
    _, recorded = waves()
    assert all(float(each) == 0 for each in losses()(recorded, recorded).values())
    silence = torch.zeros_like(recorded, requires_grad=True)
    torch.stack([*losses()(silence, recorded).values()]).sum().backward()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


def test_the_sum_weighs_each_loss_and_a_schedules_factors() -> None:
    assert SPEC.vocoder is not None
    weights = WaveLossWeights(mel=3.0, convergence=0.5, magnitude=0.0)
    vocoder, plugins = build_vocoder(SPEC), installed_plugins()
    task = VocoderTask(spec=SPEC, plugins=plugins, vocoder=vocoder, weights=weights)
    [batch] = data().val_dataloader()
    with torch.no_grad():
        output = task.model(batch)
    own = {name: float(each) for name, each in output.losses.items()}
    assert float(output.loss) == pytest.approx(3 * own["mel"] + 0.5 * own["convergence"])
    weighed = float(task.weigh(output.losses, {"mel": 0.5}))
    assert weighed == pytest.approx(1.5 * own["mel"] + 0.5 * own["convergence"])


def test_a_schedule_of_a_loss_that_a_vocoder_does_not_have_is_refused() -> None:
    task = VocoderTask(spec=SPEC, plugins=installed_plugins(), vocoder=build_vocoder(SPEC))
    task.refuse_losses({"mel": 1})
    with pytest.raises(ValueError, match="names `mell`, but a vocoder's losses are mel, converg"):
        task.refuse_losses({"mell": 1})
