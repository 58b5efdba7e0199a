"""`MlpDurationPredictor`."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.tensors.masks import zero_padding


@final
class MlpDurationPredictor(DurationPredictor):
    """Predicts each phoneme's duration from its hidden vector alone, as the original model does.

    Args:
        hidden_dim: Width of the input (H); the layers are H -> H -> H/2 -> 1.
        dropout: After each hidden layer, in training.
    """

    def __init__(self, *, hidden_dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim // 2),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim // 2, 1),
        )

    def forward(
        self, hidden: Tensor, padding_mask: Tensor, durations: Tensor | None = None
    ) -> DurationOutput:
        """Predict the natural log of (frames + 1).

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. durations: not looked at.
        """
        # (B, N, 1) -> (B, N)
        duration_pred = self.layers(zero_padding(hidden, padding_mask)).squeeze(-1)
        return DurationOutput(zero_padding(duration_pred, padding_mask))
