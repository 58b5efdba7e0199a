"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.slots import DecoderParams
from kokoro_core.spec.sizes import Sizes

if TYPE_CHECKING:
    from kokoro_core.contracts import AutoregressiveDecoder


class ExampleParams(DecoderParams):
    """A recurrent decoder: a frame from the one before it, the memory and what it remembers.

    Attributes:
        dropout: Of the input, in training.
    """

    type: Literal["example"] = "example"
    dropout: float = Field(0.1, ge=0, lt=1)

    def build(self, sizes: Sizes) -> AutoregressiveDecoder:
        """Return the decoder."""
        from kokoro_core.scaffold.examples.decoder.decoder import ExampleDecoder

        return ExampleDecoder(
            mel_dim=sizes.mel_dim, hidden_dim=sizes.hidden_dim, dropout=self.dropout
        )
