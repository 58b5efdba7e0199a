"""The one autoregressive loop: how it starts, what it feeds, where a row stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.generation.options import GenerationOptions, StopReason
from kokoro_core.generation.reading import Utterances
from kokoro_core.masks import padding_mask_from_lengths, zero_padding
from kokoro_core.model import AcousticModel


def stop_reasons(utterances: Utterances, stopped: Tensor, at_limit: StopReason) -> list[StopReason]:
    """Return for each row why it ended, `at_limit` where neither stop token nor caller ended it.

    Shape:
        stopped: (B,) bool.
    """
    pairs = zip(stopped.tolist(), utterances.cut_short.tolist(), strict=True)
    return ["stop_token" if stop else "max_mel_len" if cut else at_limit for stop, cut in pairs]


@final
class FrameLoop:
    """Makes frames step by step; iterating yields chunks (B, k, M), 0 past each row's end.

    The first step is fed zero frames, exactly as `shift_right` begins a row in training; each other
    one what the step before it made.

    Attributes:
        lengths: (B,) int64 frames of each row; after the loop those that it made.
        stopped: (B,) bool, True where the stop token ended the row.
    """

    def __init__(
        self, model: AcousticModel, utterances: Utterances, options: GenerationOptions, mel_dim: int
    ) -> None:
        if not isinstance(model.decoder, AutoregressiveDecoder):
            raise TypeError(f"`{type(model.decoder).__name__}` makes no frames step by step.")
        self._decoder = model.decoder
        self._side_inputs = model.pick("decoder", utterances.available)
        self._utterances = utterances
        self._options = options
        self._mel_dim = mel_dim
        self.lengths = utterances.limits
        self.stopped = torch.zeros_like(utterances.cut_short)

    def stop_reasons(self) -> list[StopReason]:
        """Return for each row why it ended."""
        return stop_reasons(self._utterances, self.stopped, "planned_length")

    def __iter__(self) -> Iterator[Tensor]:
        memory, r = self._utterances.memory, self._decoder.reduction_factor
        steps = -(-int(self.lengths.max()) // r)
        state = self._decoder.init_state(
            memory.memory, memory.padding_mask, steps * r, **self._side_inputs
        )
        frames = memory.memory.new_zeros(len(self.lengths), r, self._mel_dim)
        pending: list[Tensor] = []
        for step in range(steps):
            frames, stop_logits = self._decoder.step(frames, state)
            self._note_stops(stop_logits, step * r)
            pending.append(frames)
            if len(pending) * r < self._options.chunk(frames.device) and step < steps - 1:
                continue
            longest = int(self.lengths.max())
            yield self._cut(pending, (step + 1 - len(pending)) * r, longest)
            if longest <= (step + 1) * r:
                return
            pending = []

    def _note_stops(self, stop_logits: Tensor, first: int) -> None:
        """Shorten the rows that one of these frames ends, without waiting for the device."""
        lengths = self.lengths.unsqueeze(1)
        ends = first + 1 + torch.arange(stop_logits.shape[1], device=stop_logits.device)
        stops = (stop_logits.sigmoid() > self._options.stop_threshold) & (ends <= lengths)
        self.lengths = torch.where(stops, ends, lengths).amin(1)
        self.stopped = self.stopped | stops.any(1)

    def _cut(self, pending: list[Tensor], first: int, longest: int) -> Tensor:
        """Return the pending frames, none past the longest row, 0 past each row's end."""
        mel = torch.cat(pending, dim=1)[:, : longest - first]
        return zero_padding(mel, padding_mask_from_lengths(self.lengths - first, mel.shape[1]))
