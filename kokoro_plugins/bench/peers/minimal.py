"""A decoder with a cache written by hand for one purpose: what a plain prototype reaches."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_plugins.bench.peers.contract import SPARE_FRAMES, FrameMaker
from kokoro_plugins.bench.sizes import ModelSize


@final
class MinimalLayer(nn.Module):
    """A pre-norm decoder layer, one frame at a time, its caches inside it."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        width, self.num_heads = size.hidden_dim, size.num_heads
        self.own_norm, self.cross_norm, self.ff_norm = (nn.LayerNorm(width) for _ in range(3))
        self.own_in = nn.Linear(width, 3 * width)
        self.own_out = nn.Linear(width, width)
        self.cross_query = nn.Linear(width, width)
        self.cross_in = nn.Linear(width, 2 * width)
        self.cross_out = nn.Linear(width, width)
        self.ff_in = nn.Linear(width, size.ff_dim)
        self.ff_out = nn.Linear(size.ff_dim, width)

    def build_memory(self, memory: Tensor, capacity: int) -> None:
        """Project a memory (B, T, H) and allocate caches for so many frames."""
        self.keys, self.values = map(self._heads, self.cross_in(memory).chunk(2, -1))
        shape = (*self.keys.shape[:2], capacity, self.keys.shape[-1])
        self.own_keys, self.own_values = memory.new_zeros(shape), memory.new_zeros(shape)

    def forward(self, x: Tensor, at: int) -> Tensor:
        """Run the layer on frame number `at`.

        Shape:
            x: (B, 1, H). Returns: (B, 1, H).
        """
        query, key, value = map(self._heads, self.own_in(self.own_norm(x)).chunk(3, -1))
        self.own_keys[:, :, at : at + 1] = key
        self.own_values[:, :, at : at + 1] = value
        seen = self.own_keys[:, :, : at + 1], self.own_values[:, :, : at + 1]
        x = x + self.own_out(self._attend(query, *seen))
        query = self._heads(self.cross_query(self.cross_norm(x)))
        x = x + self.cross_out(self._attend(query, self.keys, self.values))
        changed: Tensor = x + self.ff_out(F.relu(self.ff_in(self.ff_norm(x))))
        return changed

    def _heads(self, x: Tensor) -> Tensor:
        # (B, T, H) -> (B, heads, T, H/heads)
        return x.view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        # (B, heads, 1, H/heads) -> (B, 1, H)
        return F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2)


@final
class MinimalDecoder(nn.Module):
    """The layers, a table of positions and the heads, and nothing that a framework needs."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        width = size.hidden_dim
        self.frame_in = nn.Linear(size.mel_dim, width)
        self.layers = nn.ModuleList(MinimalLayer(size) for _ in range(size.num_layers))
        self.norm = nn.LayerNorm(width)
        self.mel_out = nn.Linear(width, size.mel_dim)
        self.stop_out = nn.Linear(width, 1)
        self.positions = nn.Buffer(torch.zeros(size.max_len, width), persistent=False)

    def build_memory(self, memory: Tensor, capacity: int) -> None:
        """Project a memory (B, T, H) in every layer and start at its first frame."""
        length = memory.shape[1]
        self.added = F.pad(memory, (0, 0, 0, capacity - length)) + self.positions[:capacity]
        for layer in self.layers:
            cast("MinimalLayer", layer).build_memory(memory + self.positions[:length], capacity)
        self.at = 0

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Make a frame from the one before it.

        Shape:
            frame: (B, 1, M). Returns: (B, 1, M) and (B, 1).
        """
        x = self.frame_in(frame) + self.added[:, self.at : self.at + 1]
        for layer in self.layers:
            x = layer(x, self.at)
        self.at += 1
        x = self.norm(x)
        return self.mel_out(x), self.stop_out(x).squeeze(-1)


@final
class MinimalFrames(FrameMaker):
    """The minimal decoder, frame by frame."""

    name = "minimal cached decoder"

    def __init__(self, decoder: MinimalDecoder) -> None:
        self._decoder = decoder.eval()

    def begin(self, *, rows: int, frames: int) -> None:
        """Start behind `frames` frames; what the caches hold makes no difference to the time."""
        like = self._decoder.mel_out.weight
        memory = like.new_empty(rows, frames, like.shape[1]).normal_()
        self._decoder.build_memory(memory, frames + SPARE_FRAMES)
        self._first, self._frames = like.new_zeros(rows, 1, like.shape[0]), frames
        self.rewind()

    def rewind(self) -> None:
        """Go back to the first frame that is timed."""
        self._decoder.at, self._mel = self._frames, self._first

    def step(self) -> Tensor:
        """Make the next frame."""
        self._mel, _ = self._decoder(self._mel)
        return self._mel
