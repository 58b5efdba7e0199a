"""`ParallelTransformerDecoder`: the non-autoregressive decoder."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import DecoderOutput, ParallelDecoder, Plan, PositionalEncoding
from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import make_scope
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.transformer.layers import EncoderLayer, LayerSettings
from kokoro_plugins.transformer.place import PlaceEmbedding


@final
class ParallelTransformerDecoder(ParallelDecoder):
    """Makes all frames at once: self-attention over the memory (FastSpeech, Ren et al., 2019).

    Args:
        mel_dim: Mel channels (M).
        num_layers: Layers.
        layer: What each layer is made with.
        positional_encoding: Of the frames.
        place_size: Embeddings of the place inside the phoneme, or None.
    """

    def __init__(
        self,
        *,
        mel_dim: int,
        num_layers: int,
        layer: LayerSettings,
        positional_encoding: PositionalEncoding,
        place_size: int | None = None,
    ) -> None:
        super().__init__()
        width = layer.hidden_dim
        self.positional_encoding = positional_encoding
        self.place = PlaceEmbedding(hidden_dim=width, size=place_size) if place_size else None
        self.dropout = Dropout(layer.dropout)
        self.layers = CheckpointedStack(EncoderLayer(layer) for _ in range(num_layers))
        self.norm = layer.final_norm()
        self.mel_out = nn.Linear(width, mel_dim)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        plan: Plan | None = None,
    ) -> DecoderOutput:
        """Predict the mel from the memory; the target is only compared in length.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.

        Raises:
            ValueError: The memory has not one vector a frame, or more frames than positions.
        """
        if memory.shape[1] != mel_specs.shape[1]:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and "
                f"{mel_specs.shape[1]} frames; a parallel decoder needs a regulator."
            )
        return self.infer(memory, memory_padding_mask, plan=plan)

    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *, plan: Plan | None = None
    ) -> DecoderOutput:
        """Make the mel.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.

        Raises:
            ValueError: There are more frames than positions.
        """
        length = memory.shape[1]
        self.positional_encoding.check_length(length)
        positions = torch.arange(length, device=memory.device)
        if self.place is not None:
            if plan is None:
                raise ValueError("`place` needs a plan; it works only with a regulator.")
            memory = memory + self.place(plan.durations, length)
        # Attention gives padding a weight of 0, which would keep a NaN.
        memory = zero_padding(memory, memory_padding_mask)
        x = self.dropout(self.positional_encoding.add(memory, positions))
        scope = make_scope(
            self.positional_encoding, positions, positions, key_padding_mask=memory_padding_mask
        )
        mel = self.mel_out(self.norm(self.layers(x, scope)))
        return DecoderOutput(zero_padding(mel, memory_padding_mask))
