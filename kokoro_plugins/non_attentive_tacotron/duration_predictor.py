"""`RecurrentDurationPredictor`: durations from LSTMs over phonemes."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.nn.recurrent import BidirectionalLstm
from kokoro_core.tensors.masks import zero_padding

TYPICAL = math.log(1 + 6)
"""Where predictions begin: at a phoneme of 6 frames, 70 ms at a hop of 256 samples."""


@final
class RecurrentDurationPredictor(DurationPredictor):
    """The duration predictor of Non-Attentive Tacotron (Shen et al., 2020, section 3).

    LSTMs in both directions, then a linear layer, which gives the natural log of (frames + 1).

    Args:
        hidden_dim: Width of the encoder's output.
        lstm_dim: Channels of each recurrent layer, both directions together.
        num_layers: Number of recurrent layers.
    """

    def __init__(self, *, hidden_dim: int, lstm_dim: int = 512, num_layers: int = 2) -> None:
        super().__init__()
        self.lstm = BidirectionalLstm(input_dim=hidden_dim, width=lstm_dim, num_layers=num_layers)
        self.out = nn.Linear(lstm_dim, 1)
        nn.init.constant_(self.out.bias, TYPICAL)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None = None,
    ) -> DurationOutput:
        """Predict the natural log of (frames + 1); the true durations are ignored.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool.
        """
        # (B, N, 1) -> (B, N)
        duration_pred = self.out(self.lstm(hidden, padding_mask)).squeeze(-1)
        return DurationOutput(zero_padding(duration_pred, padding_mask))
