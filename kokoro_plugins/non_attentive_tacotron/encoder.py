"""`TacotronEncoder`: Tacotron 2's convolutions and recurrent layer over phonemes."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor, nn

from kokoro_core.contracts import Encoder
from kokoro_core.kernels import Dropout
from kokoro_core.nn.batch_norm import MaskedBatchNorm
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.nn.recurrent import BidirectionalLstm
from kokoro_core.tensors.masks import zero_padding


@final
class TacotronEncoder(Encoder):
    """Tacotron 2's encoder (Shen et al., 2018, section 2.2).

    Each convolution is followed by batch normalisation, ReLU and dropout; an LSTM in both
    directions ends it. In training the normalisation uses the valid phonemes of the whole batch, so
    rows depend on each other but not on padding.

    Args:
        vocab_size: Number of phoneme indices.
        hidden_dim: Width (H), even.
        kernel_size: Phonemes that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Probability of dropout after each convolution.
    """

    couples_rows: ClassVar[bool] = True

    def __init__(
        self,
        *,
        vocab_size: int,
        hidden_dim: int,
        kernel_size: int = 5,
        num_layers: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        nn.init.normal_(self.embedding.weight, std=(2 / (vocab_size + hidden_dim)) ** 0.5)
        self.convs = nn.ModuleList(
            MaskedConv1d(hidden_dim, hidden_dim, kernel_size) for _ in range(num_layers)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(hidden_dim) for _ in range(num_layers))
        self.dropout = Dropout(dropout)
        self.lstm = BidirectionalLstm(input_dim=hidden_dim, width=hidden_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H).

        Raises:
            ValueError: The mask has another shape than the phonemes.
        """
        if phoneme_indices.shape != padding_mask.shape:
            raise ValueError(
                f"`phoneme_indices` must have the shape {tuple(padding_mask.shape)} of its padding "
                f"mask, not {tuple(phoneme_indices.shape)}."
            )
        x = self.embedding(phoneme_indices.masked_fill(padding_mask, 0))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.dropout(norm(conv(x, padding_mask), padding_mask).relu())
        encoded: Tensor = self.lstm(zero_padding(x, padding_mask), padding_mask)
        return encoded
