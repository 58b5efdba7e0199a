"""`ExampleRegulator`."""

from __future__ import annotations

from typing import final

from torch import Tensor

from kokoro_core.contracts import Plan, Regulator
from kokoro_core.tensors.durations import check_durations, phoneme_of_frame
from kokoro_core.tensors.masks import padding_mask_from_lengths, zero_padding


@final
class ExampleRegulator(Regulator):
    """Repeats each phoneme for as many frames as it lasts."""

    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
    ) -> Plan:
        """Decide how many frames each phoneme gets.

        Shape:
            hidden: (B, N, H), not looked at. durations: (B, N) int64. padding_mask: (B, N) bool.

        Raises:
            ValueError: The durations are not int64, or not of the phonemes' shape.
        """
        check_durations(durations, padding_mask)
        durations = zero_padding(durations, padding_mask)
        lengths = durations.sum(1)
        longest = int(lengths.max()) if num_frames is None else num_frames
        return Plan(lengths, padding_mask_from_lengths(lengths, longest), durations)

    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Carry a tensor from phonemes to frames.

        Shape:
            x: (B, N, C). Returns: (B, T, C).
        """
        index = phoneme_of_frame(plan.durations, plan.padding_mask.shape[1])
        # (B, T) -> (B, T, C)
        repeated = x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        return zero_padding(repeated, plan.padding_mask)
