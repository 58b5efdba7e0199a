"""The one autoregressive loop: how it starts, what it feeds, where a row stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, State, answers
from kokoro_core.contracts.answers import Callee
from kokoro_core.generation.ends import TIME, RowEnds
from kokoro_core.generation.options import StopReason
from kokoro_core.generation.request import Utterances
from kokoro_core.model.acoustic import Memory
from kokoro_core.model.side_inputs import call_part
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.masks import can_look_inside, padding_mask_from_lengths, zero_padding
from kokoro_core.tensors.noise import RowNoise

DROP_SHARE = 8
"""Rows that have ended leave when they are at least one in so many: leaving costs a copy."""


@final
class FrameLoop:
    """Makes frames step by step; iterating yields chunks (B, k, M), 0 past each row's end.

    The first step is fed zero frames, exactly as `shift_right` begins a row in training; each other
    one what the step before it made. Between chunks it looks who has ended, and only there.

    Args:
        decoder: Whose steps these are.
        side_inputs: What it needs beside the memory.
        utterances: What is to be spoken, and how.

    Attributes:
        ends: Where each row ends; final when the loop is over.
    """

    def __init__(
        self,
        decoder: AutoregressiveDecoder,
        side_inputs: dict[str, Any],
        utterances: Utterances,
    ) -> None:
        self._decoder = decoder
        self._side_inputs = side_inputs
        self._utterances = utterances
        self._options = utterances.options
        self.ends = RowEnds(utterances.limits, utterances.options, original(decoder))
        self._soonest = 0
        self._noise: RowNoise | None = None
        if decoder.draws_in_step:
            self._noise = utterances.available["noise"].of("decoder.step")

    @property
    def lengths(self) -> Tensor:
        """The frames of each row, (B,) int64; after the loop those that it made."""
        return self.ends.lengths

    def stop_reasons(self) -> list[StopReason]:
        """Return for each row why it ended."""
        return self.ends.reasons(self._utterances.cut_short, "planned_length")

    def __iter__(self) -> Iterator[Tensor]:
        memory, r = self._utterances.memory, self._decoder.reduction_factor
        steps = -(-int(self.lengths.max()) // r)
        self._soonest = int(self.lengths.min())
        with torch.inference_mode():
            state = begun_state(self._decoder, memory, steps * r, self._side_inputs)
        rows = torch.arange(len(self.lengths), device=memory.vectors.device)
        frames = memory.vectors.new_zeros(len(rows), r, self._utterances.frame_dim)
        chunk = max(1, self._options.chunk(frames.device) // r)
        for start in range(0, steps, chunk):
            made: list[tuple[Tensor, Tensor]] = []
            given = () if self._noise is None else (self._noise,)
            with torch.inference_mode():  # a twentieth of a step is saved; what leaves is a copy
                for _ in range(start, min(start + chunk, steps)):
                    answer = self._decoder.step(frames, state, *given)
                    if made or start:
                        frames, stop_logits = answer
                    else:
                        frames, stop_logits = checked_step(self._decoder, answer, frames)
                    made.append((frames, stop_logits))
            mel, stop_logits = (torch.cat(parts, dim=1) for parts in zip(*made, strict=True))
            if self._no_row_ends(mel, stop_logits, start * r):
                yield mel
                continue
            yield self._look(mel, stop_logits, rows, start * r)
            self._soonest = int(self.lengths.min())
            going = self._going(rows, start * r + len(made) * r)
            if len(going) == 0:
                return
            if (len(rows) - len(going)) * DROP_SHARE >= len(rows):
                state, frames, rows = state.select(going), frames[going], rows[going]
                if self._noise is not None:
                    self._noise = self._noise.select(going.tolist())

    def _no_row_ends(self, mel: Tensor, stop_logits: Tensor, first: int) -> bool:
        """Return whether all rows are there and go on after these frames, if that is cheap to say.

        Nearly all frames are so; where looking waits for the device, a look says it all at once.
        """
        return (
            can_look_inside(mel)
            and first + mel.shape[1] < self._soonest
            and not self._utterances.time_is_over()
            and not self.ends.any_ends(mel, stop_logits)
        )

    def _look(self, mel: Tensor, stop_logits: Tensor, rows: Tensor, first: int) -> Tensor:
        """Note which rows the frames of a chunk end; return those that count, of all rows."""
        num = len(self.lengths)
        mel, stop_logits = _of_all_rows(mel, rows, num), _of_all_rows(stop_logits, rows, num)
        self.ends.note(mel, stop_logits, first)
        if self._utterances.time_is_over():
            self.ends.end_now(first + mel.shape[1], TIME)
        mel = mel[:, : max(0, int(self.lengths.max()) - first)]
        return zero_padding(mel, padding_mask_from_lengths(self.lengths - first, mel.shape[1]))

    def _going(self, rows: Tensor, made: int) -> Tensor:
        """Return which of the rows, counted among these, go on after so many frames."""
        return (self.lengths[rows] > made).nonzero().squeeze(1)


def _of_all_rows(part: Tensor, rows: Tensor, num: int) -> Tensor:
    """Return a tensor of some rows as one of all rows, 0 in those that are left out."""
    if len(rows) == num:
        return part
    return part.new_zeros(num, *part.shape[1:]).index_copy(0, rows, part)


def begun_state(
    decoder: AutoregressiveDecoder, memory: Memory, frames: int, side_inputs: Mapping[str, Any]
) -> State:
    """Return a decoder's state before the first frame, with room for so many.

    Raises:
        TypeError: The decoder returns no state.
    """
    callee = Callee("decoder", decoder, "init_state")
    state = call_part(callee, memory.vectors, memory.padding_mask, frames, **side_inputs)
    return answers.kind(state, State, callee)


def checked_step(decoder: AutoregressiveDecoder, answer: Any, fed: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a step made of the frames that it was fed; only the first step is checked.

    Raises:
        TypeError: It is no pair, or not of tensors.
        ValueError: A tensor has another shape.
    """
    callee = Callee("decoder", decoder, "step")
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise TypeError(
            f"{callee} must return mel and stop logits, two tensors, from `step`, not a "
            f"`{type(answer).__name__}`."
        )
    mel = answers.tensor(answer[0], tuple(fed.shape), callee, "mel")
    return mel, answers.tensor(answer[1], tuple(fed.shape[:2]), callee, "stop_logits")
