"""The settings and the hook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import DecoderParams, EncoderParams
from registry import ComponentClass, hookimpl

if TYPE_CHECKING:
    from tests.packaging.acme_fastspeech2.layers import Conformer
    from tests.packaging.acme_fastspeech2.parts import AcmeDecoder, AcmeEncoder

KOKORO_API = 2


class _Layers:
    """The settings of both sides."""

    num_layers: int
    num_heads: int
    ff_dim: int
    ff_kernel_size: int
    kernel_size: int
    dropout: float

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what the heads break."""
        if sizes.hidden_dim % (2 * self.num_heads):
            yield "num_heads", f"{self.num_heads} heads do not divide {sizes.hidden_dim} evenly"

    def layers(self, width: int) -> Conformer:
        """Return the Conformer."""
        from tests.packaging.acme_fastspeech2.layers import Conformer

        return Conformer(
            width,
            self.num_layers,
            self.dropout,
            heads=self.num_heads,
            inner=self.ff_dim,
            inner_kernel=self.ff_kernel_size,
            kernel=self.kernel_size,
        )


class AcmeEncoderParams(_Layers, EncoderParams):
    """FastSpeech2Conformer's encoder.

    Attributes:
        num_layers: Layers.
        num_heads: Heads of the attention.
        ff_dim: Width of the feed-forward blocks.
        ff_kernel_size: Steps that their convolutions see, odd.
        kernel_size: Steps that the depthwise convolutions see, odd.
        dropout: Dropout.
    """

    type: Literal["acme_conformer"] = "acme_conformer"
    hidden_dim: int | None = None
    num_layers: int = Field(4, ge=1)
    num_heads: int = Field(2, ge=1)
    ff_dim: int = Field(1536, ge=1)
    ff_kernel_size: int = Field(3, ge=1)
    kernel_size: int = Field(7, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)

    def build(self, sizes: Sizes) -> AcmeEncoder:
        """Return the encoder."""
        from tests.packaging.acme_fastspeech2.parts import AcmeEncoder

        width = sizes.hidden_dim
        return AcmeEncoder(
            vocab_size=sizes.vocab_size, hidden_dim=width, conformer=self.layers(width)
        )


class AcmeDecoderParams(_Layers, DecoderParams):
    """FastSpeech2Conformer's decoder, with the settings of the encoder."""

    parallel = True
    type: Literal["acme_conformer"] = "acme_conformer"
    hidden_dim: int | None = None
    num_layers: int = Field(4, ge=1)
    num_heads: int = Field(2, ge=1)
    ff_dim: int = Field(1536, ge=1)
    ff_kernel_size: int = Field(3, ge=1)
    kernel_size: int = Field(31, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)

    def build(self, sizes: Sizes) -> AcmeDecoder:
        """Return the decoder."""
        from tests.packaging.acme_fastspeech2.parts import AcmeDecoder

        width = sizes.hidden_dim
        return AcmeDecoder(hidden_dim=width, mel_dim=sizes.mel_dim, conformer=self.layers(width))


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return both."""
    return AcmeEncoderParams, AcmeDecoderParams
