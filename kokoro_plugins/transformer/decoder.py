"""`TransformerDecoder`: the autoregressive decoder."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import (
    AutoregressiveDecoder,
    DecoderOutput,
    Plan,
    PositionalEncoding,
)
from kokoro_core.kernels import DecodingViews, Dropout, may_go_direct, side_by_side
from kokoro_core.nn.attention import AttentionScope, make_scope
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.rows import rows_at
from kokoro_core.nn.shift import shift_right
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import (
    add_bias,
    attend_mask,
    can_look_inside,
    causal_mask,
    zero_padding,
)
from kokoro_core.tensors.repeats import Repeats
from kokoro_plugins.transformer.layers import DecoderLayer, LayerSettings
from kokoro_plugins.transformer.memory_parts import memory_in_parts
from kokoro_plugins.transformer.place import PlaceEmbedding
from kokoro_plugins.transformer.step_layer import step_layers
from kokoro_plugins.transformer.stepping import Shared, TransformerDecoderState

STEP_LAYERS: dict[str, list[tuple[str, ...]]] = {
    "": [("frame_in",), ("mel_out", "stop_out")],
    "layers.*.self_attention": [("query", "key_value"), ("out",)],
    "layers.*.cross_attention": [("query",), ("out",)],
    "layers.*.feed_forward": [("0",), ("3",)],
}
"""The linear layers that a step runs, those of one input in a group."""


@final
class TransformerDecoder(AutoregressiveDecoder):
    """Makes frames from the frames before them and the memory (Transformer TTS, Li et al., 2019).

    Cross-attention alone cannot tell the copies of a phoneme's vector apart, so the memory gets
    frame positions, memory[t] is added to the input at step t, and the place inside the phoneme can
    be embedded.

    A step makes a group of `reduction_factor` frames (Tacotron, Wang et al., 2017, section 3.4). It
    is fed the last frame of the group before, stands at the position of its first frame, and that
    frame's memory is added to it.

    Args:
        mel_dim: Mel channels (M).
        num_layers: Layers.
        layer: What each layer is made with.
        positional_encoding: Of the frames, those made and those of the memory.
        add_memory: Add memory[t] to the input at step t.
        memory_positions: Give the memory frame positions.
        place_size: Embeddings of the place inside the phoneme, or None.
        teacher_mask: Share of the teacher frames replaced by the zero frame in training.
        reduction_factor: Frames that one step makes (r).
    """

    replaces_rows = True

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
        reduction_factor: int = 1,
    ) -> None:
        super().__init__()
        width = layer.hidden_dim
        self.num_heads, self.head_dim = layer.num_heads, width // layer.num_heads
        self.add_memory = add_memory
        self.memory_positions = memory_positions
        self.teacher_mask = teacher_mask
        self.reduction_factor = reduction_factor
        self.mel_dim = mel_dim
        self.frame_in = nn.Linear(mel_dim, width)
        self.positional_encoding = positional_encoding
        self.no_positions = PositionalEncoding()
        self.place = PlaceEmbedding(hidden_dim=width, size=place_size) if place_size else None
        self.dropout = Dropout(layer.dropout)
        self.layers = CheckpointedStack(DecoderLayer(layer) for _ in range(num_layers))
        self.norm = layer.final_norm()
        self.mel_out = nn.Linear(width, mel_dim * reduction_factor)
        self.stop_out = nn.Linear(width, reduction_factor)
        self._views: DecodingViews[TransformerDecoder] = DecodingViews(STEP_LAYERS)

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
        r = self.reduction_factor
        positions = torch.arange(0, length, r, device=memory.device)
        scope = make_scope(self.positional_encoding, positions, positions, causal=True)
        cross_scope = self._cross_scope(positions, memory_padding_mask)
        parts = self._in_parts(memory, cross_scope, plan)
        memory = self._add_place(memory, memory_padding_mask, plan)
        fed = shift_right(self._mask_teacher(zero_padding(mel_specs, mel_padding_mask)), r)
        x = self._embed(self.frame_in(fed[:, r - 1 :: r]), memory[:, ::r], positions)
        read = self._positioned(memory, cross_scope) if parts is None else parts
        x = self.norm(self.layers(x, read, scope, cross_scope))
        mel, stop_logits = self._ungroup(self.mel_out(x), self.stop_out(x))
        if r > 1:
            # A slice is whole or not by the length, and a compiled graph would be for one of both.
            frames = torch.arange(length, device=mel.device)
            mel, stop_logits = mel[:, frames], stop_logits[:, frames]
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
        r = self.reduction_factor
        groups = -(-max_frames // r)
        self._check_length(max((groups - 1) * r + 1, memory.shape[1]))
        memory = self._add_place(memory, memory_padding_mask, plan)
        positions = torch.arange(max(groups * r, memory.shape[1]), device=memory.device)
        # (B, Tm, H) -> (B, groups, H)
        first = memory[:, ::r]
        added = F.pad(first, (0, 0, 0, max(0, groups - first.shape[1])))[:, :groups]
        return TransformerDecoderState(
            position=0,
            max_frames=groups * r,
            memory=added,
            memory_mask=_memory_mask(memory, memory_padding_mask),
            own=tuple(
                KeyValueCache.empty(
                    memory, num_heads=self.num_heads, head_dim=self.head_dim, max_len=groups
                )
                for _ in self.layers
            ),
            crossed=self._project_memory(memory, positions[: memory.shape[1]]),
            shared=self._to_share(positions, len(memory)),
        )

    def step(self, frames: Tensor, state: TransformerDecoderState) -> tuple[Tensor, Tensor]:
        """Make the next K groups of frames, each from the last frame of the group before it.

        Shape:
            frames: (B, K·r, M). Returns: mel (B, K·r, M) and stop_logits (B, K·r).

        Raises:
            ValueError: The state has no room for K more groups.
        """
        r, start, end = self.reduction_factor, state.position, state.position + frames.shape[1]
        if end > state.max_frames:
            raise ValueError(
                f"`step` has room for {state.max_frames} frames but was asked for frame {end}; "
                f"give `init_state` a larger `max_frames`."
            )
        view, positions = self._shared(state)
        capacity = state.own[0].capacity_for(end // r)
        of = positions[: state.crossed[0].keys.shape[2]]
        now, seen = positions[start:end:r], positions[: capacity * r : r]
        at, added = None, state.memory[:, start // r : end // r]
        if state.behind is not None:
            at = positions[start // r : end // r] - state.behind.unsqueeze(1)
            now, added = at * r, rows_at(state.memory, at)
            seen, of = (each.expand(len(frames), -1) for each in (seen, of))
        unseen = add_bias(causal_mask(now, seen), frames.new_zeros(()))
        scope = make_scope(self.positional_encoding, now, seen, bias=unseen)
        cross_scope = make_scope(self._memory_encoding(), now, of, bias=state.memory_mask)
        x = self._embed(view.frame_in(frames[:, r - 1 :: r]), added, now)
        direct = may_go_direct(x) and at is None and end - start == r
        if direct and (quick := state.shared.layers) is not None:
            x = x.squeeze(1)  # (B, 1, H) -> (B, H)
            for fast, own, crossed in zip(quick, state.own, state.crossed, strict=True):
                x = fast.step(x, own, crossed, scope, cross_scope, start // r)
            x = x.unsqueeze(1)  # (B, H) -> (B, 1, H)
        else:
            layers = view._decoder_layers()
            for layer, own, crossed in zip(layers, state.own, state.crossed, strict=True):
                x = layer.step(x, own, crossed, scope, cross_scope, start // r, at)
        state.position = end
        both = side_by_side(self.norm(x), view.mel_out, view.stop_out)
        return self._ungroup(both[..., :-r], both[..., -r:])

    def replace_rows(
        self, state: TransformerDecoderState, rows: Tensor, begun: TransformerDecoderState
    ) -> TransformerDecoderState:
        """Put the rows of another state in the place of some; the caches are written in place.

        Args:
            state: Of B rows.
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        state.put(rows, begun)
        return state

    def _to_share(self, positions: Tensor, rows: int) -> Shared:
        view = self._views.get(self, rows=rows)
        layers = step_layers(view._decoder_layers(), self.positional_encoding)
        return Shared(group=self.reduction_factor, decoder=view, positions=positions, layers=layers)

    def _shared(self, state: TransformerDecoderState) -> tuple[TransformerDecoder, Tensor]:
        """Return what a step computes with, and all positions."""
        if not torch.compiler.is_exporting():
            return cast("TransformerDecoder", state.shared.decoder), state.shared.positions
        # A graph is given the tensors of the rows alone.
        far = max(state.memory.shape[1] * self.reduction_factor, state.crossed[0].keys.shape[2])
        return self, torch.arange(far, device=state.memory.device)

    def _project_memory(self, memory: Tensor, positions: Tensor) -> tuple[KeyValueCache, ...]:
        encoding = self._memory_encoding().for_one_pass()
        memory = encoding.add(memory, positions)
        return tuple(
            KeyValueCache.full(*layer.cross_attention.project_memory(memory, encoding, positions))
            for layer in self._decoder_layers()
        )

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

    def _memory_encoding(self) -> PositionalEncoding:
        return self.positional_encoding if self.memory_positions else self.no_positions

    def _cross_scope(self, q_positions: Tensor, memory_padding_mask: Tensor) -> AttentionScope:
        k_positions = torch.arange(memory_padding_mask.shape[1], device=q_positions.device)
        return make_scope(
            self._memory_encoding(), q_positions, k_positions, key_padding_mask=memory_padding_mask
        )

    def _positioned(self, memory: Tensor, scope: AttentionScope) -> Tensor:
        return scope.positional_encoding.add(memory, scope.k_positions)

    def _in_parts(
        self, memory: Tensor, scope: AttentionScope, plan: Plan | None
    ) -> tuple[Repeats, ...] | None:
        layers = (layer.cross_attention.key_value for layer in self._decoder_layers())
        return memory_in_parts(memory, layers, scope, self.place, plan)

    def _mask_teacher(self, frames: Tensor) -> Tensor:
        """Put the zero frame in place of a share of the teacher frames: the rest must do."""
        if not self.training or self.teacher_mask == 0:
            return frames
        dropped = torch.rand(frames.shape[:2], device=frames.device) < self.teacher_mask
        return frames.masked_fill(dropped.unsqueeze(-1), 0)

    def _embed(self, x: Tensor, memory: Tensor, positions: Tensor) -> Tensor:
        if self.add_memory:
            x = x + memory
        embedded: Tensor = self.dropout(self.positional_encoding.add(x, positions))
        return embedded

    def _ungroup(self, mel: Tensor, stop_logits: Tensor) -> tuple[Tensor, Tensor]:
        # (B, G, r M) -> (B, G r, M) and (B, G, r) -> (B, G r)
        return mel.reshape(mel.shape[0], -1, self.mel_dim), stop_logits.flatten(1)


def _memory_mask(memory: Tensor, padding_mask: Tensor) -> Tensor | None:
    """Return what is added to the scores of the memory, (B, 1, 1, Tm); None: nothing is padding."""
    if can_look_inside(padding_mask) and not bool(padding_mask.any()):
        return None
    return add_bias(attend_mask(padding_mask), memory.new_zeros(()))
