"""Sound duration predictors, with seams for mutants."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.tensors.noise import RowNoise
from tests.kokoro_core.testing.mutants.blocks import Conv, require, zeroed


class ConvPredictor(DurationPredictor):
    """Two convolutions with norms, and a linear layer."""

    conv_type: ClassVar[type[Conv]] = Conv

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = Conv(width, width), self.conv_type(width, width)
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, 1)

    def forward(
        self, hidden: Tensor, padding_mask: Tensor, durations: Tensor | None = None
    ) -> DurationOutput:
        """Predict ln(frames + 1), (B, N)."""
        require(hidden, padding_mask, 3, "hidden")
        x = self.start(hidden, padding_mask)
        x = self.dropout(F.gelu(self.first_norm(self.first(x, padding_mask))))
        x = self.dropout(F.gelu(self.second_norm(self.second(x, padding_mask))))
        return DurationOutput(self.finish(self.head(x), padding_mask))

    def frames(self, hidden: Tensor, padding_mask: Tensor) -> Tensor:
        """Return frames (B, N)."""
        predicted = self(hidden, padding_mask).duration_pred
        return zeroed(self.counted(predicted), padding_mask)

    def start(self, hidden: Tensor, padding_mask: Tensor) -> Tensor:
        """Return what the first convolution gets."""
        return zeroed(hidden, padding_mask)

    def head(self, x: Tensor) -> Tensor:
        """Return one number a phoneme, (B, N)."""
        return F.softplus(self.out(x).squeeze(-1) + 1)

    def counted(self, duration_pred: Tensor) -> Tensor:
        """Return the frames of a prediction."""
        return torch.expm1(duration_pred)

    def finish(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the prediction."""
        return zeroed(x, padding_mask)


class OwnLossPredictor(ConvPredictor):
    """The same with a loss of its own."""

    def forward(
        self, hidden: Tensor, padding_mask: Tensor, durations: Tensor | None = None
    ) -> DurationOutput:
        """Predict ln(frames + 1), (B, N), and weigh the error."""
        predicted = super().forward(hidden, padding_mask).duration_pred
        if durations is None or predicted is None:
            return DurationOutput(predicted)
        error = zeroed(predicted - self.aim(durations, predicted), padding_mask).square()
        loss = error.sum() / (~padding_mask).sum().clamp_min(1)
        return DurationOutput(predicted, {"error": loss})

    def aim(self, durations: Tensor, like: Tensor) -> Tensor:
        """Return what the prediction is compared with."""
        return torch.log1p(durations.to(like.dtype))


class DetachedPredictor(ConvPredictor):
    """The same, and its loss teaches nothing that came before (FastSpeech 2, VITS)."""

    def start(self, hidden: Tensor, padding_mask: Tensor) -> Tensor:
        """Return what the first convolution gets, without a way back."""
        return super().start(hidden.detach(), padding_mask)


class LikelihoodPredictor(DurationPredictor):
    """A normal distribution for each phoneme: its likelihood as loss, its samples as frames."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.mean = nn.Linear(width, 1)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None = None,
        *,
        noise: RowNoise,
    ) -> DurationOutput:
        """Return the loss of the true durations (B, N)."""
        require(hidden, padding_mask, 3, "hidden")
        assert durations is not None
        mean = self.mean(zeroed(hidden, padding_mask)).squeeze(-1)
        error = (torch.log1p(durations.to(mean.dtype)) - mean).square()
        return DurationOutput(None, {"nll": self.average(error, padding_mask)})

    def average(self, error: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the mean over phonemes."""
        return zeroed(error, padding_mask).sum() / (~padding_mask).sum().clamp_min(1)

    def frames(self, hidden: Tensor, padding_mask: Tensor, *, noise: RowNoise) -> Tensor:
        """Sample frames (B, N)."""
        require(hidden, padding_mask, 3, "hidden")
        mean = self.mean(zeroed(hidden, padding_mask)).squeeze(-1)
        return zeroed(F.softplus(mean + self.draw(mean, noise)) * 3, padding_mask)

    def draw(self, mean: Tensor, noise: RowNoise) -> Tensor:
        """Return noise (B, N)."""
        return noise.normal(mean.shape[1], 1, like=mean).squeeze(-1)
