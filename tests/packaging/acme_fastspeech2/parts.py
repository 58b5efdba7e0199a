"""The encoder and the decoder."""

from __future__ import annotations

from torch import Tensor, nn

from kokoro_core.contracts import DecoderOutput, Encoder, ParallelDecoder
from kokoro_core.tensors.masks import zero_padding
from tests.packaging.acme_fastspeech2.layers import Conformer


class AcmeEncoder(Encoder):
    """An embedding and a Conformer."""

    couples_rows = True

    def __init__(self, *, vocab_size: int, hidden_dim: int, conformer: Conformer) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.conformer = conformer

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, N, H) of phoneme_indices (B, N)."""
        embedded = zero_padding(self.embed(phoneme_indices), padding_mask)
        hidden: Tensor = self.conformer(embedded, padding_mask)
        return hidden


class AcmeDecoder(ParallelDecoder):
    """A Conformer and a linear layer to the mel."""

    couples_rows = True

    def __init__(self, *, hidden_dim: int, mel_dim: int, conformer: Conformer) -> None:
        super().__init__()
        self.conformer = conformer
        self.feat_out = nn.Linear(hidden_dim, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        """Predict the mel, (B, T, M), from the memory, (B, T, H)."""
        if mel_specs.dim() != 3 or memory.shape[:2] != mel_specs.shape[:2]:
            shapes = f"{tuple(memory.shape)} and {tuple(mel_specs.shape)}"
            raise ValueError(f"`memory` must have one vector a frame; the shapes are {shapes}.")
        return self.infer(memory, memory_padding_mask)

    def infer(self, memory: Tensor, memory_padding_mask: Tensor) -> DecoderOutput:
        """Predict the mel, (B, T, M), from the memory, (B, T, H)."""
        memory = zero_padding(memory, memory_padding_mask)
        hidden = self.conformer(memory, memory_padding_mask)
        return DecoderOutput(zero_padding(self.feat_out(hidden), memory_padding_mask))
