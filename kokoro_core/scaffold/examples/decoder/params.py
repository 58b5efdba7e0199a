"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import LAYER, Size, Sizes, linear
from kokoro_core.slots import DecoderParams

if TYPE_CHECKING:
    from kokoro_core.contracts import AutoregressiveDecoder


class ExampleParams(DecoderParams):
    """A recurrent decoder: a frame from the one before it, the memory and what it remembers.

    Attributes:
        dropout: Of the input, in training.
    """

    type: Literal["example"] = "example"
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @property
    def capabilities(self) -> Capabilities:
        """It knows what came before; torch's recurrent layers cannot be compiled into one graph."""
        return Capabilities(receptive_field=(None, 0), compilable=False)

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        """It adds the memory of each frame to that frame."""
        return ("type",)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the recurrent layer and the ways in and out."""
        width = sizes.hidden_dim
        recurrent = LAYER + linear(width, width) * 6  # two matrices for each of three gates
        ends = linear(sizes.mel_dim, width) + linear(width, sizes.mel_dim) + linear(width, 1)
        return recurrent + ends

    def build(self, sizes: Sizes) -> AutoregressiveDecoder:
        """Return the decoder."""
        from kokoro_core.scaffold.examples.decoder.decoder import ExampleDecoder

        return ExampleDecoder(
            mel_dim=sizes.mel_dim,
            hidden_dim=sizes.hidden_dim,
            dropout=self.dropout,
        )
