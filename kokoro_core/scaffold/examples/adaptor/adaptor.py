"""`ExampleAdaptor`."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import Adaptor, AdaptorOutput
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


@final
class ExampleAdaptor(Adaptor):
    """Adds the embedding of a curve: of the true one in training, of its own in speaking.

    Args:
        hidden_dim: Width of the vectors (H).
        channels: Width between the convolution and the prediction.
    """

    def __init__(self, *, hidden_dim: int, channels: int) -> None:
        super().__init__()
        self.conv = MaskedConv1d(hidden_dim, channels, 3)
        self.out = nn.Linear(channels, 1)
        self.embedding = nn.Linear(1, hidden_dim)

    def forward(
        self,
        x: Tensor,
        padding_mask: Tensor,
        *args: Any,
        target: Tensor | None = None,
        control: float = 1.0,
        **side_inputs: Any,
    ) -> AdaptorOutput:
        """Predict the curve and add the embedding of the true one, or else of the predicted one.

        Shape:
            x: (B, L, H). padding_mask: (B, L) bool. target: (B, L).
        """
        # (B, L, 1) -> (B, L)
        curve = self.out(self.conv(x, padding_mask).relu()).squeeze(2)
        prediction = zero_padding(curve, padding_mask)
        spoken = prediction * control
        added = spoken if target is None else zero_padding(target, padding_mask)
        # (B, L) -> (B, L, 1) -> (B, L, H)
        x = zero_padding(x + self.embedding(added.unsqueeze(2)), padding_mask)
        if target is None:
            return AdaptorOutput(x, prediction)
        error = (prediction - added).square().sum()
        return AdaptorOutput(x, prediction, {"prediction": error / (~padding_mask).sum()})
