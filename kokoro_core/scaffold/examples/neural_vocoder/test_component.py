"""What the component promises of its waves."""

from __future__ import annotations

import pytest
import torch

from kokoro_core import AudioSettings
from kokoro_core.scaffold.examples.neural_vocoder.params import ExampleParams

AUDIO = AudioSettings(n_mels=8, hop_length=4, n_fft=64, win_length=64)
VOCODER = ExampleParams(channels=16, kernel_size=5).build(AUDIO)
MEL = torch.randn(2, 9, 8, generator=torch.Generator().manual_seed(0)) - 5


@pytest.mark.parametrize("frame", [0, 4, 8])
def test_a_sample_sees_as_far_as_the_vocoder_says(frame: int) -> None:
    mel = MEL[:1].clone().requires_grad_()
    VOCODER(mel)[0, frame * AUDIO.hop_length].backward()
    assert mel.grad is not None
    seen = mel.grad[0].abs().sum(1).nonzero().flatten().tolist()
    assert seen == [each for each in range(9) if abs(each - frame) <= VOCODER.receptive_field]


def test_chunks_together_are_the_whole() -> None:
    whole = VOCODER.decode(MEL[:1], torch.tensor([9]))[0]
    chunks = torch.cat([*VOCODER.stream([MEL[0, :2], MEL[0, 2:3], MEL[0, 3:]])])
    torch.testing.assert_close(chunks, whole)


def test_it_learns_a_wave() -> None:
    torch.manual_seed(0)
    wave = torch.rand(2, 36) - 0.5
    optimizer = torch.optim.Adam(VOCODER.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = (VOCODER(MEL) - wave).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
