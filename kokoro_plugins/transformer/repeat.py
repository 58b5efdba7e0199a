"""`RepeatRegulator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import Plan, Regulator
from kokoro_core.tensors.durations import check_durations, phoneme_of_frame
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_core.tensors.pytree import register_pytree
from kokoro_core.tensors.repeats import note_repeats


@register_pytree
@dataclass(frozen=True)
class RepeatPlan(Plan):
    """A plan that knows the phoneme of each frame.

    Attributes:
        phoneme: (B, T) int64, index of the phoneme that a frame repeats.
    """

    phoneme: Tensor


@final
class RepeatRegulator(Regulator):
    """Repeats each phoneme for as many frames as it lasts (length regulator, Ren et al., 2019).

    One selection of rows serves the whole batch, so that no row is treated for itself; a gather
    with an index for each number takes twice as long.
    """

    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
    ) -> RepeatPlan:
        """Find the phoneme of each frame.

        Shape:
            hidden: (B, N, H), not looked at. durations: (B, N) int64. padding_mask: (B, N) bool.

        Raises:
            ValueError: The durations are not int64, or not of the phonemes' shape.
        """
        check_durations(durations, padding_mask)
        durations = durations.masked_fill(padding_mask, 0)
        lengths = durations.sum(1)
        length = int(lengths.max()) if num_frames is None else num_frames
        return RepeatPlan(
            lengths=lengths,
            padding_mask=padding_mask_from_lengths(lengths, length),
            durations=durations,
            phoneme=phoneme_of_frame(durations, length),
        )

    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Repeat the vectors of a tensor.

        Shape:
            x: (B, N, C). Returns: (B, T, C).

        Raises:
            TypeError: The plan is another regulator's.
            ValueError: The tensor is not of the plan's phonemes.
        """
        if not isinstance(plan, RepeatPlan):
            raise TypeError(
                f"`expand` takes the plan that `plan` of the same regulator made, "
                f"not a `{type(plan).__name__}`."
            )
        if x.dim() != 3 or x.shape[:2] != plan.durations.shape:
            raise ValueError(
                f"`x` must be of shape {tuple(plan.durations.shape)} and channels, as the plan's "
                f"phonemes are, not {tuple(x.shape)}."
            )
        rows, phonemes, channels = x.shape
        # (B, N, C) -> (B·N + 1, C): all phonemes in a row, and zeros behind them for padding
        table = torch.cat([x.reshape(-1, channels), x.new_zeros(1, channels)])
        first = torch.arange(rows, device=x.device).unsqueeze(1) * phonemes
        index = (plan.phoneme + first).masked_fill(plan.padding_mask, rows * phonemes)
        # (B·T, C) -> (B, T, C)
        expanded = table.index_select(0, index.flatten()).view(rows, -1, channels)
        return note_repeats(expanded, table, index)
