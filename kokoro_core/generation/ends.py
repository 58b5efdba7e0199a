"""Where each row ends, and why."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.generation.options import GenerationOptions, StopReason

AT_LIMIT, STOP_TOKEN, NOT_FINITE, TIME = range(4)
"""Why a row ended, as a number that can stay on the device."""


@final
class RowEnds:
    """Keeps for each row its length, at first its limit, and what made it shorter.

    Nothing here waits for the device but `reasons`.

    Args:
        limits: (B,) int64, the most frames of each row.
        options: What was asked for; the rules below read their settings there.
        decoder: Says which stop logits end a row; None: none does.

    Attributes:
        lengths: (B,) int64.
        causes: (B,) int64, of the numbers above.
    """

    def __init__(
        self,
        limits: Tensor,
        options: GenerationOptions,
        decoder: AutoregressiveDecoder | None = None,
    ) -> None:
        self._options = options
        self._decoder = decoder
        self.lengths = limits
        self.causes = torch.zeros_like(limits)

    def note(self, mel: Tensor, stop_logits: Tensor | None, first: int) -> None:
        """End the rows that one of these frames ends: with it, or before it if it is not finite.

        Shape:
            mel: (B, k, M), the frames from number `first` on. stop_logits: (B, k), or None.
        """
        frames = first + torch.arange(mel.shape[1], device=mel.device)
        # NaN is not below infinity either.
        finite = mel.abs().amax(-1) < torch.inf
        causes = torch.zeros_like(finite, dtype=torch.int64)
        if stop_logits is not None:
            finite = finite & (stop_logits.abs() < torch.inf)
            causes = self._are_last(stop_logits).long()
        causes = causes.masked_fill(~finite, NOT_FINITE)
        causes = causes.masked_fill(frames >= self.lengths.unsqueeze(1), AT_LIMIT)
        at = (causes != AT_LIMIT).long().argmax(1, keepdim=True)
        cause = causes.gather(1, at).squeeze(1)
        ends = first + at.squeeze(1) + (cause == STOP_TOKEN)
        self.lengths = torch.where(cause == AT_LIMIT, self.lengths, ends)
        self.causes = torch.where(cause == AT_LIMIT, self.causes, cause)

    def any_ends(self, mel: Tensor, stop_logits: Tensor) -> bool:
        """Return whether one of these frames ends its row; waits for the device.

        Shape:
            mel: (B, k, M). stop_logits: (B, k).
        """
        largest = torch.maximum(mel.abs().amax(), stop_logits.abs().amax())
        # Written so that NaN, which is not below infinity either, ends its row.
        return not float(largest) < torch.inf or bool(self._are_last(stop_logits).any())

    def _are_last(self, stop_logits: Tensor) -> Tensor:
        assert self._decoder is not None
        return self._decoder.ends(stop_logits, self._options.stop_threshold)

    def end_now(self, made: int, cause: int) -> None:
        """End every row that goes on past the frames made."""
        goes_on = self.lengths > made
        self.lengths = self.lengths.clamp_max(made)
        self.causes = self.causes.masked_fill(goes_on, cause)

    def reasons(self, cut_short: Tensor, at_limit: StopReason) -> list[StopReason]:
        """Return for each row why it ended, `at_limit` where it got all frames that it might.

        Shape:
            cut_short: (B,) bool, True where the limit is the caller's.
        """
        words: dict[int, StopReason] = {
            STOP_TOKEN: "stop_token",
            NOT_FINITE: "not_finite",
            TIME: "time",
        }
        pairs = zip(self.causes.tolist(), cut_short.tolist(), strict=True)
        return [words.get(cause, "max_mel_len" if cut else at_limit) for cause, cut in pairs]
