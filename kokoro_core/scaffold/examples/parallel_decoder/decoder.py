"""`ExampleDecoder`."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import DecoderOutput, ParallelDecoder
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding


class ExampleLayer(nn.Module):
    """A convolution over time with a residual connection."""

    def __init__(self, *, hidden_dim: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.conv = MaskedConv1d(hidden_dim, hidden_dim, kernel_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x (B, T, H) with what the convolution adds."""
        added: Tensor = self.dropout(F.gelu(self.conv(x, padding_mask)))
        return x + added


@final
class ExampleDecoder(ParallelDecoder):
    """Makes all frames at once.

    Args:
        mel_dim: Mel channels (M).
        hidden_dim: Width of the memory (H).
        num_layers: Layers.
        kernel_size: Frames that a layer sees, odd.
        dropout: After each layer, in training.
    """

    def __init__(
        self,
        *,
        mel_dim: int,
        hidden_dim: int,
        num_layers: int,
        kernel_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.layers = CheckpointedStack(
            ExampleLayer(hidden_dim=hidden_dim, kernel_size=kernel_size, dropout=dropout)
            for _ in range(num_layers)
        )
        self.mel_out = nn.Linear(hidden_dim, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict the mel from the memory; the target is only compared in length.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: The memory has not one vector a frame.
        """
        if memory.shape[1] != mel_specs.shape[1]:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and "
                f"{mel_specs.shape[1]} frames; this decoder needs a regulator."
            )
        return self.infer(memory, memory_padding_mask)

    def infer(self, memory: Tensor, memory_padding_mask: Tensor) -> DecoderOutput:
        """Make the mel.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.
        """
        x = self.layers(zero_padding(memory, memory_padding_mask), memory_padding_mask)
        return DecoderOutput(zero_padding(self.mel_out(x), memory_padding_mask))
