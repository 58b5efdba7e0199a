"""`Row`: one utterance among others that are spoken at the same time."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.generation.ends import TIME, RowEnds
from kokoro_core.generation.options import Generation
from kokoro_core.generation.request import Utterances
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.masks import padding_mask_from_lengths


@final
class Row:
    """One utterance while it is spoken, which may end at any step.

    Args:
        index: Which request it is.
        utterances: Of one row.
        decoder: Whose steps make its frames.

    Attributes:
        index: Which request it is.
        utterances: Of one row.
        room: Frames that its state has room for, whole steps.
        made: Frames made so far.
        is_over: Whether no more frames of it are wanted.
        ends: Where it ends.
    """

    def __init__(self, index: int, utterances: Utterances, decoder: AutoregressiveDecoder) -> None:
        r = decoder.reduction_factor
        self.index = index
        self.utterances = utterances
        self.ends = RowEnds(utterances.limits, utterances.options, original(decoder))
        self.room = -(-int(utterances.limits) // r) * r
        self.made = 0
        self.is_over = False
        self._limit = int(utterances.limits)
        self._frames: list[Tensor] = []

    def take(self, mel: Tensor) -> None:
        """Keep the frames that were made last, unless it is over.

        Shape:
            mel: (1, k, M).
        """
        self.made += mel.shape[1]
        if not self.is_over:
            self._frames.append(mel)

    @property
    def is_due(self) -> bool:
        """Whether it ends now, whatever its frames are."""
        return self.made >= self._limit or self.utterances.time_is_over()

    def look(self, mel: Tensor, stop_logits: Tensor) -> None:
        """Note whether one of the frames that it has taken last ends it.

        Shape:
            mel: (1, k, M). stop_logits: (1, k).
        """
        self.ends.note(mel, stop_logits, self.made - mel.shape[1])
        if self.utterances.time_is_over():
            self.ends.end_now(self.made, TIME)
        self.is_over = int(self.ends.lengths) <= self.made

    def result(self, model: AcousticModel) -> Generation:
        """Return what was spoken, when it is over."""
        utterances, lengths = self.utterances, self.ends.lengths
        mel = torch.cat(self._frames, dim=1)[:, : int(lengths)]
        mask = padding_mask_from_lengths(lengths, mel.shape[1])
        mel = model.refine(mel.to(utterances.memory.vectors.dtype), mask, utterances.available)
        reasons = self.ends.reasons(utterances.cut_short, "planned_length")
        return Generation(mel, lengths, utterances.durations, reasons)
