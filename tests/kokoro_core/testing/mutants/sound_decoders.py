"""A sound autoregressive decoder with caches, with seams for mutants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, State
from kokoro_core.nn.shift import shift_right
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.params.sizes import Sizes
from tests.kokoro_core.testing.mutants.blocks import (
    Attention,
    FeedForward,
    require,
    sinusoids,
    zeroed,
)


@dataclass
class Cache(State):
    """Keys and values of one attention, (B, room, H) each."""

    keys: Tensor
    values: Tensor

    def write(self, keys: Tensor, values: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Store K positions and return all up to them."""
        end = start + keys.shape[1]
        if end > self.keys.shape[1]:
            raise ValueError(f"There is room for {self.keys.shape[1]} groups, not {end}.")
        self.keys[:, start:end], self.values[:, start:end] = keys, values
        return self.keys[:, :end], self.values[:, :end]


@dataclass
class Decoded(State):
    """What the decoder remembers: groups made, the memory's mask, a cache a layer and kind."""

    position: int
    memory_hidden: Tensor
    own: list[Cache]
    crossed: list[Cache]


class Layer(nn.Module):
    """Self-attention, cross-attention and feed-forward, each normed before."""

    own_type: ClassVar[type[Attention]] = Attention
    cross_type: ClassVar[type[Attention]] = Attention

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.own = self.own_type(width, dropout=dropout)
        self.cross = self.cross_type(width, dropout=dropout)
        self.feed_forward = FeedForward(width, dropout)
        self.own_norm, self.cross_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ff_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, memory: Tensor, later: Tensor, memory_hidden: Tensor) -> Tensor:
        """Run the layer on all groups x (B, T, H)."""
        inner = self.own_norm(x)
        x = x + self.own(inner, inner, later)
        return self.finish(x, *self.cross.keys_and_values(memory), memory_hidden)

    def step(
        self, x: Tensor, own: Cache, crossed: Cache, later: Tensor, memory_hidden: Tensor, at: int
    ) -> Tensor:
        """Run the layer on the next groups x (B, K, H)."""
        inner = self.own_norm(x)
        keys, values = own.write(*self.own.keys_and_values(inner), at)
        x = x + self.own.attend(inner, keys, values, later)
        return self.finish(x, crossed.keys, crossed.values, memory_hidden)

    def finish(self, x: Tensor, keys: Tensor, values: Tensor, memory_hidden: Tensor) -> Tensor:
        """Attend to the memory, then feed forward."""
        x = x + self.cross.attend(self.cross_norm(x), keys, values, memory_hidden)
        result: Tensor = x + self.feed_forward(self.ff_norm(x))
        return result


class AttentionDecoder(AutoregressiveDecoder):
    """Makes r frames a step from the group before, all groups before that, and the memory."""

    layer_type: ClassVar[type[Layer]] = Layer

    def __init__(
        self, *, sizes: Sizes, reduction_factor: int, dropout: float, num_layers: int = 2
    ) -> None:
        super().__init__()
        width, self.mel_dim = sizes.hidden_dim, sizes.mel_dim
        self.reduction_factor = reduction_factor
        self.group_in = nn.Linear(reduction_factor * sizes.mel_dim, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = CheckpointedStack(self.layer_type(width, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, reduction_factor * (sizes.mel_dim + 1))

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict all frames of mel_specs (B, T, M)."""
        require(memory, memory_padding_mask, 3, "memory")
        require(mel_specs, mel_padding_mask, 3, "mel_specs")
        fed = self.shift(self.teacher(mel_specs, mel_padding_mask))
        memory = self.remembered(memory, memory_padding_mask)
        x = self.dropout(self.embed(fed, 0))
        every = torch.arange(x.shape[1], device=x.device)
        memory_hidden = self.memory_hidden(memory_padding_mask)
        x = self.run(x, memory, self.later(every, every), memory_hidden)
        mel, stop_logits = self.heads(x)
        count = mel_specs.shape[1]
        return DecoderOutput(
            self.finish(mel[:, :count], mel_padding_mask),
            self.finish(stop_logits[:, :count], mel_padding_mask),
        )

    def init_state(self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int) -> Decoded:
        """Project the memory and allocate the caches."""
        memory = self.remembered(memory, memory_padding_mask)
        shape = (memory.shape[0], self.room(max_frames), memory.shape[2])
        layers = cast("Iterable[Layer]", self.layers)
        crossed = [Cache(*layer.cross.keys_and_values(memory)) for layer in layers]
        own = [Cache(memory.new_zeros(shape), memory.new_zeros(shape)) for _ in self.layers]
        return self.state(0, self.memory_hidden(memory_padding_mask), own, crossed)

    def state(self, *fields: object) -> Decoded:
        """Return a state."""
        return Decoded(*fields)  # type: ignore[arg-type]

    def step(self, frames: Tensor, state: Decoded) -> tuple[Tensor, Tensor]:
        """Make the next groups from frames (B, K·r, M)."""
        start = state.position
        x = self.dropout(self.embed_step(frames, start))
        every = torch.arange(start + x.shape[1], device=x.device)
        later = self.later_in_step(every[start:], every)
        layers = cast("Iterable[Layer]", self.layers)
        for layer, own, crossed in zip(layers, state.own, state.crossed, strict=True):
            x = layer.step(x, own, crossed, later, state.memory_hidden, start)
        state.position = self.advanced(start, x.shape[1])
        return self.heads_of_step(x, state)

    def shift(self, mel: Tensor) -> Tensor:
        """Return what is fed."""
        return shift_right(mel, self.reduction_factor)

    def teacher(self, mel_specs: Tensor, mel_padding_mask: Tensor) -> Tensor:
        """Return the true frames."""
        return zeroed(mel_specs, mel_padding_mask)

    def remembered(self, memory: Tensor, memory_padding_mask: Tensor) -> Tensor:
        """Return the memory with its positions, 0 at padding."""
        every = torch.arange(memory.shape[1], device=memory.device)
        return zeroed(memory + sinusoids(every, memory.shape[2], memory.dtype), memory_padding_mask)

    def memory_hidden(self, memory_padding_mask: Tensor) -> Tensor:
        """Return what of the memory nobody may look at, (B, 1, 1, Tm)."""
        return memory_padding_mask[:, None, None, :]

    def embed(self, fed: Tensor, start: int) -> Tensor:
        """Return groups with their positions, (B, K, H)."""
        # (B, K·r, M) -> (B, K, r·M)
        groups: Tensor = self.group_in(fed.unflatten(1, (-1, self.reduction_factor)).flatten(2))
        positions = torch.arange(start, start + groups.shape[1], device=fed.device)
        return groups + sinusoids(positions, groups.shape[2], groups.dtype)

    def embed_step(self, frames: Tensor, start: int) -> Tensor:
        """Return the groups of a step with their positions."""
        return self.embed(frames, start)

    def later(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return what comes later, which no group may look at, (Tq, Tk)."""
        return keys > queries.unsqueeze(1)

    def later_in_step(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return what comes later in a step."""
        return self.later(queries, keys)

    def run(self, x: Tensor, memory: Tensor, later: Tensor, memory_hidden: Tensor) -> Tensor:
        """Run the layers on all groups."""
        result: Tensor = self.layers(x, memory, later, memory_hidden)
        return result

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mel (B, K·r, M) and stop logits (B, K·r)."""
        # (B, K, r·(M+1)) -> (B, K·r, M+1)
        made = self.out(self.norm(x)).unflatten(2, (self.reduction_factor, -1)).flatten(1, 2)
        return made[..., :-1], made[..., -1]

    def heads_of_step(self, x: Tensor, state: Decoded) -> tuple[Tensor, Tensor]:
        """Return mel and stop logits of a step."""
        return self.heads(x)

    def advanced(self, start: int, groups: int) -> int:
        """Return the position after a step."""
        return start + groups

    def room(self, max_frames: int) -> int:
        """Return the groups that there is room for."""
        return -(-max_frames // self.reduction_factor)

    def finish(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return an output."""
        return zeroed(x, padding_mask)


def dropped(x: Tensor, share: float) -> Tensor:
    """Return x with dropout, whatever the mode."""
    return F.dropout(x, share, training=True)
