"""`ConvDurationPredictor`: FastSpeech's durations from convolutions over phonemes."""

from __future__ import annotations

from typing import Literal, final

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
        stop_gradient: Whether no gradient reaches the encoder.
        rounding: Which whole number of frames a prediction means.
        norm_eps: Added to each LayerNorm's variance.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        channels: int = 256,
        kernel_size: int = 3,
        num_layers: int = 2,
        dropout: float = 0.1,
        stop_gradient: bool = False,
        rounding: Literal["nearest", "up"] = "nearest",
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.rounding = rounding
        self._stop_gradient = stop_gradient
        widths = [hidden_dim] + [channels] * num_layers
        self.convs = nn.ModuleList(
            MaskedConv1d(width, channels, kernel_size) for width in widths[:-1]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels, norm_eps) for _ in range(num_layers))
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
        x = hidden.detach() if self._stop_gradient else hidden
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.dropout(norm(conv(x, padding_mask).relu()))
        # (B, N, 1) -> (B, N)
        duration_pred = self.out(x).squeeze(-1)
        return DurationOutput(zero_padding(duration_pred, padding_mask))
