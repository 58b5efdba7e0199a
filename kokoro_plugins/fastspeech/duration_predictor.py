"""`ConvDurationPredictor`: FastSpeech's durations from convolutions over phonemes."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.kernels import Dropout
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


@final
class ConvDurationPredictor(DurationPredictor):
    """FastSpeech's duration predictor (Ren et al., 2019, section 3.3).

    Each layer is a convolution, ReLU, LayerNorm and dropout; a linear layer gives the natural log
    of (frames + 1).

    Args:
        hidden_dim: Width of the encoder's output.
        channels: Channels of each convolution.
        kernel_size: Phonemes that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Probability of dropout after each LayerNorm.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        channels: int = 256,
        kernel_size: int = 3,
        num_layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        widths = [hidden_dim] + [channels] * num_layers
        self.convs = nn.ModuleList(
            MaskedConv1d(width, channels, kernel_size) for width in widths[:-1]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(num_layers))
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(channels, 1)

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
        x = hidden
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.dropout(norm(conv(x, padding_mask).relu()))
        # (B, N, 1) -> (B, N)
        duration_pred = self.out(x).squeeze(-1)
        return DurationOutput(zero_padding(duration_pred, padding_mask))
