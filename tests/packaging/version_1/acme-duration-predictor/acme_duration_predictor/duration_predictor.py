"""`AcmeDurationPredictor`."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


@final
class AcmeDurationPredictor(DurationPredictor):
    """Predicts the natural log of (frames + 1).

    Args:
        hidden_dim: Width of the input (H).
        channels: Width between the convolution and the result.
        dropout: Before the result, in training.
    """

    def __init__(self, *, hidden_dim: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.conv = MaskedConv1d(hidden_dim, channels, 3)
        self.head = nn.Sequential(
            nn.ReLU(), nn.LayerNorm(channels), nn.Dropout(dropout), nn.Linear(channels, 1)
        )

    def forward(
        self, hidden: Tensor, padding_mask: Tensor, durations: Tensor | None = None
    ) -> DurationOutput:
        """Predict.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. durations: not looked at.
        """
        # (B, N, 1) -> (B, N)
        duration_pred = self.head(self.conv(hidden, padding_mask)).squeeze(-1)
        return DurationOutput(zero_padding(duration_pred, padding_mask))
