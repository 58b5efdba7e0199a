"""A sound adaptor, with seams for mutants."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import Adaptor, AdaptorOutput
from tests.kokoro_core.testing.mutants.blocks import Conv, require, zeroed


class CurveAdaptor(Adaptor):
    """A convolution predicts a curve, a linear layer embeds it."""

    conv_type: ClassVar[type[Conv]] = Conv

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.conv, self.norm = self.conv_type(width, width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.out, self.embedding = nn.Linear(width, 1), nn.Linear(1, width)

    def forward(
        self,
        x: Tensor,
        padding_mask: Tensor,
        *,
        target: Tensor | None = None,
        control: float = 1.0,
    ) -> AdaptorOutput:
        """Adapt x (B, L, H)."""
        require(x, padding_mask, 3, "x")
        prediction = zeroed(self.predict(x, padding_mask, target), padding_mask)
        curve = self.heard(prediction, control) if target is None else zeroed(target, padding_mask)
        adapted = self.finish(x, self.embedding(curve.unsqueeze(2)), padding_mask)
        if target is None:
            return AdaptorOutput(adapted, prediction)
        return AdaptorOutput(
            adapted, prediction, {"error": self.loss(prediction, target, padding_mask)}
        )

    def predict(self, x: Tensor, padding_mask: Tensor, target: Tensor | None) -> Tensor:
        """Return the curve (B, L)."""
        seen = self.dropout(F.gelu(self.norm(self.conv(x, padding_mask))))
        result: Tensor = self.out(seen).squeeze(-1)
        return result

    def heard(self, prediction: Tensor, control: float) -> Tensor:
        """Return the curve that is spoken."""
        return prediction * control

    def finish(self, x: Tensor, embedded: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the adapted vectors."""
        return zeroed(x + embedded, padding_mask)

    def loss(self, prediction: Tensor, target: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the squared error of a phoneme."""
        error = zeroed(prediction - target, padding_mask).square()
        return error.sum() / (~padding_mask).sum().clamp_min(1)
