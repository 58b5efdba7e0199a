"""`VarianceAdaptor`: a predicted curve, its loss and its embedding."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import Adaptor, AdaptorOutput
from kokoro_core.kernels import Dropout
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


@final
class CurvePredictor(nn.Module):
    """Convolutions, each with ReLU, LayerNorm and dropout, and a linear layer to one number.

    Args:
        hidden_dim: Width of the vectors.
        channels: Channels of each convolution.
        kernel_size: Steps that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Probability of dropout after each LayerNorm.
    """

    def __init__(
        self, *, hidden_dim: int, channels: int, kernel_size: int, num_layers: int, dropout: float
    ) -> None:
        super().__init__()
        widths = [hidden_dim, *[channels] * (num_layers - 1)]
        self.convs = nn.ModuleList(MaskedConv1d(each, channels, kernel_size) for each in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in widths)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(channels, 1)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Predict.

        Shape:
            x: (B, L, H). padding_mask: (B, L) bool. Returns: (B, L), 0 at padding.
        """
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.dropout(norm(conv(x, padding_mask).relu()))
        # (B, L, 1) -> (B, L)
        return zero_padding(self.out(x).squeeze(-1), padding_mask)


@final
class VarianceAdaptor(Adaptor):
    """Adds the embedding of a curve: in training of the true one, in speaking of its own.

    Args:
        predictor: Makes the curve.
        hidden_dim: Width of the vectors.
        embedding_kernel_size: Steps that the embedding sees, odd.
        embedding_dropout: Probability of dropout of the embedding.
        stop_gradient: Whether the predictor teaches only itself.
    """

    def __init__(
        self,
        *,
        predictor: CurvePredictor,
        hidden_dim: int,
        embedding_kernel_size: int = 1,
        embedding_dropout: float = 0.0,
        stop_gradient: bool = False,
    ) -> None:
        super().__init__()
        self._stop_gradient = stop_gradient
        self.predictor = predictor
        self.embedding = MaskedConv1d(1, hidden_dim, embedding_kernel_size)
        self.dropout = Dropout(embedding_dropout)

    def forward(
        self,
        x: Tensor,
        padding_mask: Tensor,
        *,
        target: Tensor | None = None,
        control: float = 1.0,
        encoder_hidden: Tensor | None = None,
    ) -> AdaptorOutput:
        """Predict the curve and add the embedding of the true one, or of the predicted one.

        Shape:
            x, encoder_hidden: (B, L, H). padding_mask: (B, L) bool. target: (B, L).

        Raises:
            ValueError: `x` and `encoder_hidden` have other shapes.
        """
        read = x if encoder_hidden is None else encoder_hidden
        if x.shape != read.shape:
            raise ValueError(
                f"`x` must have the shape of `encoder_hidden`, {tuple(read.shape)}, "
                f"not {tuple(x.shape)}."
            )
        prediction = self.predictor(read.detach() if self._stop_gradient else read, padding_mask)
        curve = prediction * control if target is None else target
        # (B, L) -> (B, L, 1) -> (B, L, H)
        embedded = self.dropout(self.embedding(curve.unsqueeze(2), padding_mask))
        x = zero_padding(x + embedded, padding_mask)
        if target is None:
            return AdaptorOutput(x, prediction)
        error = zero_padding(prediction - target, padding_mask).square().sum()
        return AdaptorOutput(x, prediction, {"prediction": error / (~padding_mask).sum()})
