"""`ParallelConformerDecoder`: memory to mel, all frames at once."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import DecoderOutput, ParallelDecoder
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.conformer.stack import Conformer


@final
class ParallelConformerDecoder(ParallelDecoder):
    """A Conformer and a linear layer to the mel.

    Args:
        hidden_dim: Width.
        mel_dim: Mel channels.
        conformer: The layers.
    """

    couples_rows = True

    def __init__(self, *, hidden_dim: int, mel_dim: int, conformer: Conformer) -> None:
        super().__init__()
        self.conformer = conformer
        self.out = nn.Linear(hidden_dim, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict the mel from the memory; the true one is only compared in length.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: The memory has not one vector a frame.
        """
        if memory.shape[:2] != mel_specs.shape[:2] or mel_specs.dim() != 3:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and a mel "
                f"of shape {tuple(mel_specs.shape)}; a parallel decoder needs a regulator."
            )
        return self.infer(memory, memory_padding_mask)

    def infer(self, memory: Tensor, memory_padding_mask: Tensor) -> DecoderOutput:
        """Predict the mel, (B, T, M), of memory (B, T, H)."""
        hidden = self.conformer(zero_padding(memory, memory_padding_mask), memory_padding_mask)
        return DecoderOutput(zero_padding(self.out(hidden), memory_padding_mask))
