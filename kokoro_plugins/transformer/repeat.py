"""`RepeatRegulator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from kokoro_core.contracts import Plan, Regulator
from kokoro_core.durations import check_durations, phoneme_of_frame
from kokoro_core.masks import padding_mask_from_lengths, zero_padding
from kokoro_core.pytree import register_pytree


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

    One gather serves the whole batch, so that no row is treated for itself.
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
        """
        if not isinstance(plan, RepeatPlan):
            raise TypeError(
                f"`expand` takes the plan that `plan` of the same regulator made, "
                f"not a `{type(plan).__name__}`."
            )
        # (B, T) -> (B, T, C)
        index = plan.phoneme.unsqueeze(-1).expand(-1, -1, x.shape[-1])
        return zero_padding(x.gather(1, index), plan.padding_mask)
