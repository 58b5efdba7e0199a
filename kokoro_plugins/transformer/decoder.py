"""`TransformerDecoder`: the autoregressive decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import (
    AutoregressiveDecoder,
    DecoderOutput,
    Plan,
    PositionalEncoding,
    State,
)
from kokoro_core.masks import zero_padding
from kokoro_core.nn.attention import AttentionScope, make_scope
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.shift import shift_right
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_plugins.transformer.layers import DecoderLayer, LayerSettings
from kokoro_plugins.transformer.place import PlaceEmbedding


@dataclass
class TransformerDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Frames made so far.
        max_frames: Frames there is room for.
        memory: (B, max_frames, H), what is added to the input; 0 past the memory's end.
        memory_padding_mask: (B, Tm) bool, True = padding.
        own: Keys and values of the frames so far, a cache a layer.
        crossed: Keys and values of the memory, a cache a layer.
    """

    position: int
    max_frames: int
    memory: Tensor
    memory_padding_mask: Tensor
    own: tuple[KeyValueCache, ...]
    crossed: tuple[KeyValueCache, ...]


@final
class TransformerDecoder(AutoregressiveDecoder):
    """Makes a frame from the frames before it and the memory (Transformer TTS, Li et al., 2019).

    Cross-attention alone cannot tell the copies of a phoneme's vector apart, so the memory gets
    frame positions, memory[t] is added to the input at step t, and the place inside the phoneme can
    be embedded.

    Args:
        mel_dim: Mel channels (M).
        num_layers: Layers.
        layer: What each layer is made with.
        positional_encoding: Of the frames, those made and those of the memory.
        add_memory: Add memory[t] to the input at step t.
        memory_positions: Give the memory frame positions.
        place_size: Embeddings of the place inside the phoneme, or None.
        teacher_mask: Share of the teacher frames replaced by the zero frame in training.
    """

    def __init__(
        self,
        *,
        mel_dim: int,
        num_layers: int,
        layer: LayerSettings,
        positional_encoding: PositionalEncoding,
        add_memory: bool = True,
        memory_positions: bool = True,
        place_size: int | None = None,
        teacher_mask: float = 0.0,
    ) -> None:
        super().__init__()
        width = layer.hidden_dim
        self.num_heads, self.head_dim = layer.num_heads, width // layer.num_heads
        self.add_memory = add_memory
        self.memory_positions = memory_positions
        self.teacher_mask = teacher_mask
        self.frame_in = nn.Linear(mel_dim, width)
        self.positional_encoding = positional_encoding
        self.no_positions = PositionalEncoding()
        self.place = PlaceEmbedding(hidden_dim=width, size=place_size) if place_size else None
        self.dropout = nn.Dropout(layer.dropout)
        self.layers = CheckpointedStack(DecoderLayer(layer) for _ in range(num_layers))
        self.norm = layer.final_norm()
        self.mel_out = nn.Linear(width, mel_dim)
        self.stop_out = nn.Linear(width, 1)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        plan: Plan | None = None,
    ) -> DecoderOutput:
        """Predict every frame from the true frames before it.

        Shape:
            memory: (B, Tm, H). memory_padding_mask: (B, Tm) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: There are more frames than positions, or memory is to be added to frames of
                which there are more or fewer.
        """
        length = mel_specs.shape[1]
        if self.add_memory and memory.shape[1] != length:
            raise ValueError(
                f"`add_memory` needs one memory vector a frame, but there are {memory.shape[1]} "
                f"and {length} frames; use a regulator or set `add_memory: false`."
            )
        self._check_length(max(length, memory.shape[1]))
        memory = self._add_place(memory, memory_padding_mask, plan)
        positions = torch.arange(length, device=memory.device)
        scope = make_scope(self.positional_encoding, positions, positions, causal=True)
        cross_scope = self._cross_scope(positions, memory_padding_mask)
        frames = shift_right(self._mask_teacher(zero_padding(mel_specs, mel_padding_mask)))
        x = self._embed(frames, memory, positions)
        x = self.layers(x, self._positioned(memory, cross_scope), scope, cross_scope)
        mel, stop_logits = self._heads(x)
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask), zero_padding(stop_logits, mel_padding_mask)
        )

    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
        *,
        plan: Plan | None = None,
    ) -> TransformerDecoderState:
        """Project the memory once and allocate the caches.

        Shape:
            memory: (B, Tm, H). memory_padding_mask: (B, Tm) bool.

        Raises:
            ValueError: There are more frames than positions.
        """
        self._check_length(max(max_frames, memory.shape[1]))
        memory = self._add_place(memory, memory_padding_mask, plan)
        scope = self._cross_scope(memory.new_zeros(1, dtype=torch.int64), memory_padding_mask)
        keys = self._positioned(memory, scope)
        crossed = tuple(
            KeyValueCache(
                *layer.cross_attention.project_memory(
                    keys, scope.positional_encoding, scope.k_positions
                )
            )
            for layer in self._decoder_layers()
        )
        own = tuple(
            KeyValueCache.empty(
                memory, num_heads=self.num_heads, head_dim=self.head_dim, max_len=max_frames
            )
            for _ in self.layers
        )
        # (B, Tm, H) -> (B, max_frames, H)
        added = F.pad(memory, (0, 0, 0, max(0, max_frames - memory.shape[1])))[:, :max_frames]
        return TransformerDecoderState(
            position=0,
            max_frames=max_frames,
            memory=added,
            memory_padding_mask=memory_padding_mask,
            own=own,
            crossed=crossed,
        )

    def step(self, frames: Tensor, state: TransformerDecoderState) -> tuple[Tensor, Tensor]:
        """Make the next K frames, each from the frame before it.

        Shape:
            frames: (B, K, M). Returns: mel (B, K, M) and stop_logits (B, K).

        Raises:
            ValueError: The state has no room for K more frames.
        """
        start, end = state.position, state.position + frames.shape[1]
        if end > state.max_frames:
            raise ValueError(
                f"`step` has room for {state.max_frames} frames but was asked for frame {end}; "
                f"give `init_state` a larger `max_frames`."
            )
        k_positions = torch.arange(end, device=frames.device)
        positions = k_positions[start:]
        scope = make_scope(self.positional_encoding, positions, k_positions, causal=True)
        cross_scope = self._cross_scope(positions, state.memory_padding_mask)
        x = self._embed(frames, state.memory[:, start:end], positions)
        for layer, own, crossed in zip(
            self._decoder_layers(), state.own, state.crossed, strict=True
        ):
            x = layer.step(x, own, crossed, scope, cross_scope)
        state.position = end
        return self._heads(x)

    def _decoder_layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def _check_length(self, length: int) -> None:
        self.positional_encoding.check_length(length)

    def _add_place(self, memory: Tensor, padding_mask: Tensor, plan: Plan | None) -> Tensor:
        """Add the place inside the phoneme, which is part of the memory from here on.

        Padding becomes 0: attention gives it a weight of 0, which would keep a NaN.
        """
        if self.place is not None:
            if plan is None:
                raise ValueError("`place` needs a plan; it works only with a regulator.")
            memory = memory + self.place(plan.durations, memory.shape[1])
        return zero_padding(memory, padding_mask)

    def _cross_scope(self, q_positions: Tensor, memory_padding_mask: Tensor) -> AttentionScope:
        encoding = self.positional_encoding if self.memory_positions else self.no_positions
        k_positions = torch.arange(memory_padding_mask.shape[1], device=q_positions.device)
        return make_scope(encoding, q_positions, k_positions, key_padding_mask=memory_padding_mask)

    def _positioned(self, memory: Tensor, scope: AttentionScope) -> Tensor:
        return scope.positional_encoding.add(memory, scope.k_positions)

    def _mask_teacher(self, frames: Tensor) -> Tensor:
        """Put the zero frame in place of a share of the teacher frames: the rest must do."""
        if not self.training or self.teacher_mask == 0:
            return frames
        dropped = torch.rand(frames.shape[:2], device=frames.device) < self.teacher_mask
        return frames.masked_fill(dropped.unsqueeze(-1), 0)

    def _embed(self, frames: Tensor, memory: Tensor, positions: Tensor) -> Tensor:
        x = self.frame_in(frames)
        if self.add_memory:
            x = x + memory
        embedded: Tensor = self.dropout(self.positional_encoding.add(x, positions))
        return embedded

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(x)
        # (B, T, 1) -> (B, T)
        return self.mel_out(x), self.stop_out(x).squeeze(-1)
