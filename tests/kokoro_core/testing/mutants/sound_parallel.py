"""Sound parallel decoders, with seams for mutants."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import DecoderOutput, ParallelDecoder
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.noise import RowNoise
from tests.kokoro_core.testing.mutants.blocks import Attention, Conv, require, sinusoids, zeroed


class SoundParallel(ParallelDecoder):
    """Attention over the memory, then a convolution."""

    attention_type: ClassVar[type[Attention]] = Attention

    def __init__(self, *, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        width = sizes.hidden_dim
        self.norm, self.attention = nn.LayerNorm(width), self.attention_type(width, dropout=dropout)
        self.conv, self.out = Conv(width, width), nn.Linear(width, sizes.mel_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict all frames of mel_specs (B, T, M)."""
        require(mel_specs, mel_padding_mask, 3, "mel_specs")
        return self.trained(self.made(memory, memory_padding_mask), mel_specs, mel_padding_mask)

    def trained(self, mel: Tensor, mel_specs: Tensor, mel_padding_mask: Tensor) -> DecoderOutput:
        """Return what training gets."""
        return DecoderOutput(zeroed(mel, mel_padding_mask))

    def infer(self, memory: Tensor, memory_padding_mask: Tensor) -> DecoderOutput:
        """Make all frames of memory (B, T, H)."""
        return DecoderOutput(self.made(memory, memory_padding_mask))

    def made(self, memory: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the mel (B, T, M)."""
        require(memory, padding_mask, 3, "memory")
        every = torch.arange(memory.shape[1], device=memory.device)
        x = zeroed(memory, padding_mask) + sinusoids(every, memory.shape[2], memory.dtype)
        inner = self.norm(x)
        x = x + self.attention(inner, inner, self.hidden(padding_mask))
        x = self.dropout(F.gelu(self.conv(x, padding_mask)))
        return zeroed(self.out(x), padding_mask)

    def hidden(self, padding_mask: Tensor) -> Tensor:
        """Return what no frame may look at."""
        return padding_mask[:, None, None, :]


class Flow(ParallelDecoder):
    """Flow matching, two steps (Matcha-TTS, Mehta et al., 2024)."""

    def __init__(self, *, sizes: Sizes) -> None:
        super().__init__()
        self.mel_dim = sizes.mel_dim
        self.velocity = nn.Linear(sizes.hidden_dim + sizes.mel_dim + 1, sizes.mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        noise: RowNoise,
    ) -> DecoderOutput:
        """Return the flow's loss beside the mel."""
        require(memory, memory_padding_mask, 3, "memory")
        require(mel_specs, mel_padding_mask, 3, "mel_specs")
        target = zeroed(mel_specs, mel_padding_mask)
        start = self.drawn(target, noise)
        time = noise.normal(1, 1, like=target).sigmoid()
        clean = zeroed(memory, memory_padding_mask)
        found = self.found((1 - time) * start + time * target, clean, time)
        error = zeroed((found - (target - start)).square(), mel_padding_mask)
        loss = error.sum() / self.counted(error, mel_padding_mask)
        return DecoderOutput(zeroed(start + found, mel_padding_mask), losses={"flow": loss})

    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *, noise: RowNoise
    ) -> DecoderOutput:
        """Make the mel of memory (B, T, H) in two steps."""
        clean = zeroed(memory, memory_padding_mask)
        x = self.drawn(memory[..., : self.mel_dim], noise)
        for step in range(2):
            x = x + self.found(x, clean, x.new_full((x.shape[0], 1, 1), step / 2)) / 2
        return DecoderOutput(zeroed(x, memory_padding_mask))

    def drawn(self, like: Tensor, noise: RowNoise) -> Tensor:
        """Return the noise that it begins with, (B, T, M)."""
        return noise.normal(like.shape[1], self.mel_dim, like=like)

    def found(self, x: Tensor, memory: Tensor, time: Tensor) -> Tensor:
        """Return the velocity at x (B, T, M)."""
        result: Tensor = self.velocity(torch.cat([x, memory, time.expand(*x.shape[:2], 1)], 2))
        return result

    def counted(self, error: Tensor, padding_mask: Tensor) -> Tensor:
        """Return over how many numbers the loss is a mean."""
        return ((~padding_mask).sum() * error.shape[2]).clamp_min(1)
