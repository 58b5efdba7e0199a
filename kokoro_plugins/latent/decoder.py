"""`LatentDecoder`: samples one latent after the other, each a group of frames."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, PositionalEncoding
from kokoro_core.nn.attention import make_scope
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.rows import rows_at
from kokoro_core.nn.shift import shift_right
from kokoro_core.tensors.masks import add_bias, causal_mask, zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.latent.flow_head import FlowHead
from kokoro_plugins.latent.layer import CausalLayer
from kokoro_plugins.latent.state import LatentDecoderState


@final
class LatentDecoder(AutoregressiveDecoder):
    """A causal transformer over latents with a flow head (CALM, Rouard et al., 2025; Pocket-TTS).

    A latent is a group of normalised mel frames. The backbone reads the latent before and the
    memory of the frames to be made; the head learns by flow matching (Lipman et al., 2023) and
    samples in a few Euler steps from noise. Without noise, as in `forward`, the flow starts at 0.

    Args:
        mel_dim: Mel channels (M).
        hidden_dim: Width of the memory (H).
        width: Width of the backbone (W).
        layers: Layers of the backbone.
        head: The flow head.
        positional_encoding: Of the groups.
        reduction_factor: Frames of a latent (r).
        steps: Euler steps of the flow where no option says otherwise.
        teacher_noise: The most of the variance of the latents that are fed in training that is
            noise (CALM, section 3.3); in speaking they are never quite what they were there.
    """

    draws_in_step = True
    replaces_rows = True

    def __init__(
        self,
        *,
        mel_dim: int,
        hidden_dim: int,
        width: int,
        layers: list[CausalLayer],
        head: FlowHead,
        positional_encoding: PositionalEncoding,
        reduction_factor: int = 4,
        steps: int = 4,
        teacher_noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.mel_dim = mel_dim
        self.reduction_factor = reduction_factor
        self.steps = steps
        self.teacher_noise = teacher_noise
        self.latent_in = nn.Linear(reduction_factor * mel_dim, width)
        self.memory_in = nn.Linear(reduction_factor * hidden_dim, width)
        self.positional_encoding = positional_encoding
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.head = head
        self.stop_out = nn.Linear(width, reduction_factor)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        noise: RowNoise,
    ) -> DecoderOutput:
        """Return the loss of the flow, and the mel of a flow that starts at 0.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: There are more or fewer memory vectors than frames, or too many groups.
        """
        length = mel_specs.shape[1]
        if memory.shape[1] != length:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and "
                f"{length} frames; use a regulator."
            )
        mel_specs = zero_padding(mel_specs, mel_padding_mask)
        memory = zero_padding(memory, memory_padding_mask | mel_padding_mask)
        fed = self._disturbed(self._grouped(mel_specs), noise.of("teacher"))
        condition = self._conditions(fed, self._grouped(memory))
        made = self.head.sample(self._silence(condition), condition, self.steps)
        frames = torch.arange(length, device=memory.device)
        mel = self._ungrouped(made)[:, frames]
        stop_logits = self.stop_out(condition).flatten(1)[:, frames]
        loss = self._flow_loss(mel_specs, mel_padding_mask, condition, noise)
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask),
            zero_padding(stop_logits, mel_padding_mask),
            {"flow": loss},
        )

    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
        *,
        noise: RowNoise | None = None,
        temperature: float = 1.0,
        steps: int | None = None,
    ) -> LatentDecoderState:
        """Group the memory and allocate the caches.

        Args:
            memory: (B, T, H).
            memory_padding_mask: (B, T) bool.
            max_frames: Most frames to be made.
            noise: Not used here; `step` takes that of the rows.
            temperature: Variance of the noise from which the flow starts.
            steps: Euler steps of the flow; None: those of the settings.

        Raises:
            ValueError: There are more groups than positions.
        """
        groups = -(-max_frames // self.reduction_factor)
        self.positional_encoding.check_length(groups)
        memory = self._grouped(zero_padding(memory, memory_padding_mask))
        memory = F.pad(memory, (0, 0, 0, max(0, groups - memory.shape[1])))[:, :groups]
        scale = memory.new_full((memory.shape[0], 1, 1), temperature**0.5)
        return LatentDecoderState(0, steps or self.steps, memory, scale, self._caches(memory))

    def step(
        self, frames: Tensor, state: LatentDecoderState, noise: RowNoise | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sample the next K latents, each from the one before it.

        Args:
            frames: (B, K·r, M).
            state: Of the groups so far; it is changed.
            noise: What the flow starts at; None: it starts at 0.

        Returns:
            mel (B, K·r, M) and stop_logits (B, K·r).

        Raises:
            ValueError: The state has no room for K more groups.
        """
        fed = self._grouped(frames)
        start, end = state.position, state.position + fed.shape[1]
        if end > state.memory.shape[1]:
            raise ValueError(
                f"`step` has room for {state.memory.shape[1]} groups but was asked for group "
                f"{end}; give `init_state` a larger `max_frames`."
            )
        condition = self._continue(fed, state, start, end)
        state.position = end
        latents = self.head.sample(
            self._start(condition, noise) * state.noise_scale, condition, state.steps
        )
        return self._ungrouped(latents), self.stop_out(condition).flatten(1)

    def replace_rows(
        self, state: LatentDecoderState, rows: Tensor, begun: LatentDecoderState
    ) -> LatentDecoderState:
        """Put the rows of another state in the place of some; the caches are written in place.

        Args:
            state: Of B rows.
            rows: (b,) int64, each once.
            begun: Of b rows.

        Raises:
            ValueError: The flows of both have other numbers of steps.
        """
        if begun.steps != state.steps:
            raise ValueError(
                f"`steps` must be the same for all rows, but is {begun.steps} of those that begin "
                f"and {state.steps} of the others."
            )
        state.put(rows, begun)
        return state

    def _continue(self, fed: Tensor, state: LatentDecoderState, start: int, end: int) -> Tensor:
        """Return the backbone's vectors (B, K, W) of the next groups."""
        capacity = state.own[0].capacity_for(end)
        now = torch.arange(start, end, device=fed.device)
        seen = torch.arange(capacity, device=fed.device)
        at, memory = None, state.memory[:, start:end]
        if state.behind is not None:
            now = at = now - state.behind.unsqueeze(1)
            memory, seen = rows_at(state.memory, at), seen.expand(len(fed), -1)
        unseen = add_bias(causal_mask(now, seen), fed.new_zeros(()))
        scope = make_scope(self.positional_encoding, now, seen, bias=unseen)
        x = self._embedded(fed, memory, now)
        for layer, own in zip(self.layers, state.own, strict=True):
            assert isinstance(layer, CausalLayer)
            x = layer.step(x, own, scope, start, at)
        condition: Tensor = self.norm(x)
        return condition

    def _conditions(self, latents: Tensor, memory: Tensor) -> Tensor:
        """Return the backbone's vectors (B, G, W), each made without its own latent."""
        groups = latents.shape[1]
        self.positional_encoding.check_length(groups)
        positions = torch.arange(groups, device=latents.device)
        scope = make_scope(self.positional_encoding, positions, positions, causal=True)
        x = self._embedded(shift_right(latents), memory, positions)
        for layer in self.layers:
            x = layer(x, scope)
        condition: Tensor = self.norm(x)
        return condition

    def _disturbed(self, latents: Tensor, noise: RowNoise) -> Tensor:
        """Return latents of which a share, drawn for each, is noise; only in training."""
        if not self.training or self.teacher_noise == 0:
            return latents
        share = noise.uniform(latents.shape[1], 1, like=latents) * self.teacher_noise
        drawn = noise.normal(latents.shape[1], latents.shape[2], like=latents)
        return share.sqrt() * drawn + (1 - share).sqrt() * latents

    def _embedded(self, fed: Tensor, memory: Tensor, positions: Tensor) -> Tensor:
        return self.positional_encoding.add(self.latent_in(fed) + self.memory_in(memory), positions)

    def _flow_loss(
        self, mel_specs: Tensor, padding_mask: Tensor, condition: Tensor, noise: RowNoise
    ) -> Tensor:
        """Return the mean squared error of the velocities at one time a group, over valid frames.

        A place on the way is (1 - t) · noise + t · latent, whose velocity is latent - noise.
        """
        latents = self._grouped(mel_specs)
        start = noise.normal(latents.shape[1], latents.shape[2], like=latents)
        times = noise.uniform(latents.shape[1], 1, like=latents)
        velocity = self.head(torch.lerp(start, latents, times), condition, times)
        # (B, G, r M) -> (B, T, M)
        frames = torch.arange(mel_specs.shape[1], device=latents.device)
        error = self._ungrouped(velocity - (latents - start))[:, frames].square()
        count = (~padding_mask).sum() * self.mel_dim
        return zero_padding(error, padding_mask).sum() / count

    def _start(self, condition: Tensor, noise: RowNoise | None) -> Tensor:
        """Return where the flows of K groups start, (B, K, r M)."""
        if noise is None:
            return self._silence(condition)
        channels = self.reduction_factor * self.mel_dim
        return noise.normal(condition.shape[1], channels, like=condition)

    def _silence(self, condition: Tensor) -> Tensor:
        channels = self.reduction_factor * self.mel_dim
        return condition.new_zeros(*condition.shape[:2], channels)

    def _caches(self, like: Tensor) -> tuple[KeyValueCache, ...]:
        caches = []
        for layer in self.layers:
            assert isinstance(layer, CausalLayer)
            heads, dim = layer.self_attention.num_heads, layer.self_attention.head_dim
            caches.append(
                KeyValueCache.empty(like, num_heads=heads, head_dim=dim, max_len=like.shape[1])
            )
        return tuple(caches)

    def _grouped(self, x: Tensor) -> Tensor:
        # (B, T, C) -> (B, G r, C) -> (B, G, r C)
        r = self.reduction_factor
        padded = F.pad(x, (0, 0, 0, -x.shape[1] % r))
        return padded.reshape(x.shape[0], -(-x.shape[1] // r), r * x.shape[2])

    def _ungrouped(self, x: Tensor) -> Tensor:
        # (B, G, r M) -> (B, G r, M)
        return x.reshape(x.shape[0], x.shape[1] * self.reduction_factor, self.mel_dim)
