"""An encoder with a padding leak, to be found through every door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kokoro_core.contracts import Encoder
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams
from kokoro_core.tensors.masks import zero_padding


class LeakyParams(EncoderParams):
    """Adds the mean of a row, padding included."""

    type: Literal["leaky"] = "leaky"
    loud: bool = False

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"": {}, "loud": {"loud": True}}

    def build(self, sizes: Sizes) -> Encoder:
        return make_leaky(sizes, self.loud)


def make_leaky(sizes: Sizes, loud: bool) -> Encoder:
    from torch import Tensor, nn

    class Leaky(Encoder):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(sizes.vocab_size, sizes.hidden_dim)
            self.out = nn.Linear(sizes.hidden_dim, sizes.hidden_dim)

        def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
            x = self.out(self.embedding(phoneme_indices))
            leak = x.mean(1, keepdim=True) * (2 if loud else 1)
            return zero_padding(x + leak, padding_mask)

    return Leaky()
