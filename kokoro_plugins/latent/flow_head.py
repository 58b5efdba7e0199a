"""`FlowHead`: the velocity of a latent on its way from noise, given what the backbone says."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_PERIOD = 10_000.0
"""Ratio of the longest period of the sinusoids of a time to the shortest."""


@final
class TimeEmbedding(nn.Module):
    """Sinusoids of a time, two linear layers, and a division by the standard deviation.

    Args:
        frequencies: Channels of the sinusoids, even.
        width: Channels of the embedding.
    """

    def __init__(self, *, frequencies: int, width: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.first = nn.Linear(frequencies, width)
        self.second = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, times: Tensor) -> Tensor:
        """Embed times from 0 to 1.

        Shape:
            times: (..., 1). Returns: (..., width).
        """
        half = self.frequencies // 2
        steps = torch.arange(half, device=times.device, dtype=torch.float32)
        angles = times * torch.exp(-math.log(MAX_PERIOD) * steps / half).to(times.dtype)
        x = self.second(F.silu(self.first(torch.cat([angles.cos(), angles.sin()], dim=-1))))
        normed: Tensor = x * (self.scale * torch.rsqrt(x.var(-1, keepdim=True) + 1e-5))
        return normed


@final
class FlowBlock(nn.Module):
    """A residual block, shifted, scaled and gated by the condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.modulation = nn.Linear(width, 3 * width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Run the block.

        Shape:
            x, condition: (..., width). Returns: (..., width).
        """
        shift, scale, gate = self.modulation(F.silu(condition)).chunk(3, dim=-1)
        inner = self.norm(x) * (1 + scale) + shift
        result: Tensor = x + gate * self.second(F.silu(self.first(inner)))
        return result


@final
class FlowHead(nn.Module):
    """The flow head of Pocket-TTS and CALM (Rouard et al., 2025): an MLP with adaptive LayerNorm.

    Args:
        latent_dim: Channels of a latent.
        condition_dim: Channels of the backbone's vector.
        width: Channels of the blocks.
        num_layers: Number of blocks.
        frequencies: Channels of the sinusoids of the time, even.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        condition_dim: int,
        width: int = 512,
        num_layers: int = 6,
        frequencies: int = 256,
    ) -> None:
        super().__init__()
        self.latent_in = nn.Linear(latent_dim, width)
        self.condition_in = nn.Linear(condition_dim, width)
        self.time = TimeEmbedding(frequencies=frequencies, width=width)
        self.blocks = nn.ModuleList(FlowBlock(width) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, latent_dim)

    def forward(self, latents: Tensor, condition: Tensor, times: Tensor) -> Tensor:
        """Return the velocities.

        Shape:
            latents: (..., latent_dim). condition: (..., condition_dim). times: (..., 1), 0 at the
            noise and 1 at the data. Returns: (..., latent_dim).
        """
        x = self.latent_in(latents)
        condition = self.condition_in(condition) + self.time(times)
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.modulation(F.silu(condition)).chunk(2, dim=-1)
        velocity: Tensor = self.out(self.norm(x) * (1 + scale) + shift)
        return velocity

    def sample(self, noise: Tensor, condition: Tensor, steps: int) -> Tensor:
        """Follow the velocities from noise to a latent in Euler steps of one size.

        Shape:
            noise: (..., latent_dim). condition: (..., condition_dim). Returns: (..., latent_dim).
        """
        latents = noise
        for step in range(steps):
            times = torch.full_like(noise[..., :1], step / steps)
            latents = latents + self(latents, condition, times) / steps
        return latents
