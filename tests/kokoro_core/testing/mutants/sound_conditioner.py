"""A sound conditioner, with seams for mutants."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kokoro_core.contracts import Conditioner
from tests.kokoro_core.testing.mutants.blocks import zeroed


class Voice(Conditioner):
    """A learned vector of the speaker, and one of the mean frame of a recording."""

    def __init__(self, *, speakers: int, mel_dim: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(speakers, width)
        self.style = nn.Linear(mel_dim, width)

    def forward(
        self,
        *args: Any,
        speaker: Tensor,
        reference: Tensor,
        reference_padding_mask: Tensor,
        **features: Any,
    ) -> Tensor:
        """Return the vectors (B, C)."""
        mean = self.average(reference, reference_padding_mask)
        return self.finish(self.told(speaker) + self.style(mean))

    def told(self, speaker: Tensor) -> Tensor:
        """Return the vector of the speaker."""
        result: Tensor = self.table(speaker)
        return result

    def average(self, recording: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the mean frame (B, M)."""
        frames = (~padding_mask).sum(1, keepdim=True).clamp_min(1)
        return zeroed(recording, padding_mask).sum(1) / frames

    def finish(self, vectors: Tensor) -> Tensor:
        """Return the vectors."""
        return vectors
