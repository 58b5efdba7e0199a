"""`SpeechT5Decoder`: reads phonemes through attention and decides itself when it ends."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, PositionalEncoding
from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import AttentionScope, make_scope
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.prenet import Prenet
from kokoro_core.nn.shift import shift_right
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import add_bias, causal_mask, zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.speecht5.guide import Guide
from kokoro_plugins.speecht5.layers import DecoderLayer, LayerSettings
from kokoro_plugins.speecht5.state import SpeechT5DecoderState


@final
class SpeechT5Decoder(AutoregressiveDecoder):
    """Makes groups of frames from the last frame of the group before (Ao et al., 2022).

    The frame goes through a prenet, gets the position of its group and, beside it, the speaker's
    vector. Cross-attention finds the phonemes; nobody plans how long they last.

    Args:
        mel_dim: Mel channels (M).
        num_layers: Layers.
        layer: What each layer is made with.
        positional_encoding: Of the groups.
        prenet_dim: Width of both layers of the prenet.
        prenet_dropout: Probability of dropout in the prenet.
        speaking_dropout: Whether the prenet drops in speaking too.
        speaker_dim: Width of the speaker's vector (S), or None.
        reduction_factor: Frames of a group (r).
        guided_heads: Heads of each layer whose attention is led to the diagonal; 0: none.
        guided_sigma: How far from the diagonal it may be, as a share of the length.
    """

    replaces_rows = True

    def __init__(
        self,
        *,
        mel_dim: int,
        num_layers: int,
        layer: LayerSettings,
        positional_encoding: PositionalEncoding,
        prenet_dim: int = 256,
        prenet_dropout: float = 0.5,
        speaking_dropout: bool = True,
        speaker_dim: int | None = None,
        reduction_factor: int = 2,
        guided_heads: int = 2,
        guided_sigma: float = 0.4,
    ) -> None:
        super().__init__()
        width = layer.hidden_dim
        self.num_heads, self.head_dim = layer.num_heads, width // layer.num_heads
        self.mel_dim = mel_dim
        self.reduction_factor = reduction_factor
        self.draws_in_step = speaking_dropout and prenet_dropout > 0
        self.guided_heads = guided_heads
        self.guided_sigma = guided_sigma
        self.prenet = Prenet(mel_dim=mel_dim, width=prenet_dim, dropout=prenet_dropout)
        self.prenet_out = nn.Linear(prenet_dim, width)
        self.positional_encoding = positional_encoding
        self.no_positions = PositionalEncoding()
        self.dropout = Dropout(layer.dropout)
        self.speaker_in = None if speaker_dim is None else nn.Linear(width + speaker_dim, width)
        self.layers = CheckpointedStack(DecoderLayer(layer) for _ in range(num_layers))
        self.mel_out = nn.Linear(width, mel_dim * reduction_factor)
        self.stop_out = nn.Linear(width, reduction_factor)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        speaker_embedding: Tensor | None = None,
    ) -> DecoderOutput:
        """Predict every group of frames from the true ones before it.

        Shape:
            memory: (B, N, H). memory_padding_mask: (B, N) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool. speaker_embedding: (B, S).

        Raises:
            ValueError: There are more groups than positions.
        """
        memory = zero_padding(memory, memory_padding_mask)
        r, length = self.reduction_factor, mel_specs.shape[1]
        fed = shift_right(zero_padding(mel_specs, mel_padding_mask), r)[:, r - 1 :: r]
        self.positional_encoding.check_length(fed.shape[1])
        positions = torch.arange(fed.shape[1], device=memory.device)
        scope = make_scope(self.positional_encoding, positions, positions, causal=True)
        cross_scope = self._cross_scope(positions, memory_padding_mask)
        guide = self._guide(memory_padding_mask, mel_padding_mask, memory)
        start = self._embed(self.prenet(fed), positions, speaker_embedding), memory.new_zeros(())
        x, strayed = self.layers(start, memory, scope, cross_scope, guide)
        # A slice is whole or not by the length, and a compiled graph would be for one of both.
        frames = torch.arange(length, device=memory.device)
        mel, stop_logits = (each[:, frames] for each in self._heads(x))
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask),
            zero_padding(stop_logits, mel_padding_mask),
            {} if guide is None else {"guided_attention": strayed / len(self.layers)},
        )

    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
        *,
        speaker_embedding: Tensor | None = None,
    ) -> SpeechT5DecoderState:
        """Project the memory once and allocate the caches.

        Shape:
            memory: (B, N, H). memory_padding_mask: (B, N) bool. speaker_embedding: (B, S).

        Raises:
            ValueError: There are more groups than positions.
        """
        groups = -(-max_frames // self.reduction_factor)
        self.positional_encoding.check_length(groups)
        memory = zero_padding(memory, memory_padding_mask)
        return SpeechT5DecoderState(
            position=0,
            max_groups=groups,
            memory_padding_mask=memory_padding_mask,
            speaker=speaker_embedding,
            own=tuple(
                KeyValueCache.empty(
                    memory, num_heads=self.num_heads, head_dim=self.head_dim, max_len=groups
                )
                for _ in self.layers
            ),
            crossed=self._project_memory(memory),
        )

    def ends(self, stop_logits: Tensor, threshold: float) -> Tensor:
        """Return the last frame of each group whose probabilities reach the threshold in sum.

        Shape:
            stop_logits: (B, K·r). Returns: (B, K·r) bool.
        """
        if threshold >= 1:  # by which callers ask for no end, although a sum may be above 1
            return torch.zeros_like(stop_logits, dtype=torch.bool)
        r = self.reduction_factor
        exact = torch.promote_types(stop_logits.dtype, torch.float32)
        # (B, K·r) -> (B, K, r) -> (B, K, 1)
        in_groups = stop_logits.to(exact).sigmoid().reshape(len(stop_logits), -1, r)
        reached = in_groups.sum(2, keepdim=True) >= threshold
        is_last = torch.arange(r, device=stop_logits.device) == r - 1
        # (B, K, r) -> (B, K·r)
        last: Tensor = (reached & is_last).flatten(1)
        return last

    def step(
        self, frames: Tensor, state: SpeechT5DecoderState, noise: RowNoise | None = None
    ) -> tuple[Tensor, Tensor]:
        """Make the next K groups, each from the last frame of the group before it.

        Args:
            frames: (B, K·r, M).
            state: Of the groups so far; it is changed.
            noise: What the prenet drops by; None: it drops nothing.

        Returns:
            mel (B, K·r, M) and stop_logits (B, K·r).

        Raises:
            ValueError: The state has no room for K more groups.
        """
        r = self.reduction_factor
        fed = frames[:, r - 1 :: r]
        start, end = state.position, state.position + fed.shape[1]
        if end > state.max_groups:
            raise ValueError(
                f"`step` has room for {state.max_groups} groups but was asked for group {end}; "
                f"give `init_state` a larger `max_frames`."
            )
        now = torch.arange(start, end, device=frames.device)
        seen = torch.arange(state.own[0].capacity_for(end), device=frames.device)
        at = None
        if state.behind is not None:
            now = at = now - state.behind.unsqueeze(1)
            seen = seen.expand(len(frames), -1)
        unseen = add_bias(causal_mask(now, seen), frames.new_zeros(()))
        scope = make_scope(self.positional_encoding, now, seen, bias=unseen)
        cross_scope = self._cross_scope(now, state.memory_padding_mask)
        x = self._embed(self.prenet.speak(fed, noise), now, state.speaker)
        for layer, own, crossed in zip(self.layers, state.own, state.crossed, strict=True):
            assert isinstance(layer, DecoderLayer)
            x = layer.step(x, own, crossed, scope, cross_scope, start, at)
        state.position = end
        return self._heads(x)

    def replace_rows(
        self, state: SpeechT5DecoderState, rows: Tensor, begun: SpeechT5DecoderState
    ) -> SpeechT5DecoderState:
        """Put the rows of another state in the place of some; the caches are written in place.

        Args:
            state: Of B rows.
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        state.put(rows, begun)
        return state

    def _embed(self, narrowed: Tensor, positions: Tensor, speaker: Tensor | None) -> Tensor:
        """Return the layers' input: what the prenet made, its position and the speaker."""
        placed = self.positional_encoding.add(self.prenet_out(narrowed), positions)
        x: Tensor = self.dropout(placed)
        if self.speaker_in is None:
            return x
        if speaker is None:
            raise ValueError("`speaker_embedding` is missing; `speaker_dim` asks for it.")
        # (B, S) -> (B, G, S)
        beside = F.normalize(speaker, dim=1).unsqueeze(1).expand(-1, x.shape[1], -1)
        told: Tensor = self.speaker_in(torch.cat([x, beside], dim=2)).relu()
        return told

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # (B, G, r M) -> (B, G r, M) and (B, G, r) -> (B, G r)
        mel = self.mel_out(x).reshape(x.shape[0], -1, self.mel_dim)
        return mel, self.stop_out(x).flatten(1)

    def _cross_scope(self, q_positions: Tensor, memory_padding_mask: Tensor) -> AttentionScope:
        k_positions = torch.arange(memory_padding_mask.shape[1], device=q_positions.device)
        if q_positions.dim() == 2:
            k_positions = k_positions.expand(len(q_positions), -1)
        return make_scope(
            self.no_positions, q_positions, k_positions, key_padding_mask=memory_padding_mask
        )

    def _project_memory(self, memory: Tensor) -> tuple[KeyValueCache, ...]:
        positions = torch.arange(memory.shape[1], device=memory.device)
        blocks = [each.cross_attention for each in self.layers if isinstance(each, DecoderLayer)]
        return tuple(
            KeyValueCache.full(*block.project_memory(memory, self.no_positions, positions))
            for block in blocks
        )

    def _guide(
        self, memory_padding_mask: Tensor, mel_padding_mask: Tensor, like: Tensor
    ) -> Guide | None:
        if self.guided_heads == 0:
            return None
        r = self.reduction_factor
        # A group counts if its last frame is one of the row's.
        whole = F.pad(mel_padding_mask, (0, -mel_padding_mask.shape[1] % r), value=True)
        return Guide.of(
            heads=self.guided_heads,
            sigma=self.guided_sigma,
            padding_mask=memory_padding_mask,
            group_mask=whole[:, r - 1 :: r],
            like=like,
        )
