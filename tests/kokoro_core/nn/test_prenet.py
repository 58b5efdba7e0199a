from __future__ import annotations

import numpy as np
import torch

from kokoro_core.nn.prenet import Prenet
from kokoro_core.tensors.noise import RowNoise


def by_hand(prenet, frames, kept):
    for layer, keep in zip(prenet.layers, kept, strict=True):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        frames = np.maximum(frames @ weight.T + bias, 0) * keep
    return frames


def test_it_drops_nothing_out_of_training_and_by_the_rows_noise_in_speaking():
    torch.manual_seed(0)
    prenet = Prenet(mel_dim=3, width=6, dropout=0.25).double().eval()
    frames = torch.randn(2, 4, 3, dtype=torch.float64)
    plain = by_hand(prenet, frames.numpy(), [1.0, 1.0])
    np.testing.assert_allclose(prenet(frames).detach(), plain, rtol=1e-12)
    np.testing.assert_allclose(prenet.speak(frames, None).detach(), plain, rtol=1e-12)
    noise = RowNoise([3, 4])
    kept = [
        np.concatenate([noise.uniform(1, 6, like=frames) >= 0.25 for _ in range(4)], axis=1) / 0.75
        for _ in range(2)
    ]
    spoken = prenet.speak(frames, RowNoise([3, 4]))
    np.testing.assert_allclose(spoken.detach(), by_hand(prenet, frames.numpy(), kept), rtol=1e-12)


def test_in_training_it_drops_the_share_that_it_should():
    torch.manual_seed(0)
    prenet = Prenet(mel_dim=1, width=400, dropout=0.25).train()
    with torch.no_grad():
        for each in prenet.parameters():
            each.fill_(0.0 if each.dim() == 2 else 1.0)
    made = prenet(torch.zeros(1, 50, 1))
    assert 0.24 < float((made == 0).float().mean()) < 0.26
    assert torch.allclose(made[made != 0], torch.tensor(1 / 0.75))
