"""The prior that an alignment lies near the diagonal (RAD-TTS, Shih et al., 2021)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=512)
def log_beta_binomial(phonemes: int, frames: int) -> Tensor:
    """Return the log-probability of each phoneme at each frame.

    At frame t, from 1 to T, the phoneme is beta-binomial with a = t and b = T - t + 1, over the
    places 0 to N - 1.

    Shape:
        Returns: (T, N) float64, on the CPU.
    """
    last = torch.tensor(float(phonemes - 1), dtype=torch.float64)
    place = torch.arange(phonemes, dtype=torch.float64)
    a = torch.arange(1, frames + 1, dtype=torch.float64).unsqueeze(1)
    b = frames + 1 - a
    chosen = torch.lgamma(last + 1) - torch.lgamma(place + 1) - torch.lgamma(last - place + 1)
    return chosen + _log_beta(place + a, last - place + b) - _log_beta(a, b)


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


def log_prior(phonemes: Tensor, frames: Tensor, shape: tuple[int, int], like: Tensor) -> Tensor:
    """Return the log-probabilities of a batch, 0 at padding.

    Shape:
        phonemes, frames: (B,) int64. shape: (T, N). Returns: (B, T, N), as `like`.
    """
    if like.is_meta:  # where the cost of a model is counted, there are no lengths to read
        return like.new_zeros(len(phonemes), *shape)
    prior = torch.zeros(len(phonemes), *shape, dtype=torch.float64)
    for row, (num, most) in enumerate(zip(phonemes.tolist(), frames.tolist(), strict=True)):
        prior[row, :most, :num] = log_beta_binomial(num, most)
    return prior.to(like.dtype).to(like.device)
