"""Settings of the Conformer's encoder and decoder; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import (
    LAYER,
    Size,
    Sizes,
    batch_norm,
    conv1d,
    embedding,
    layer_norm,
    linear,
)
from kokoro_core.slots import DecoderParams, EncoderParams, ImporterParams

if TYPE_CHECKING:
    from kokoro_plugins.conformer.decoder import ParallelConformerDecoder
    from kokoro_plugins.conformer.encoder import ConformerEncoder
    from kokoro_plugins.conformer.importer import FastSpeech2ConformerImporter
    from kokoro_plugins.conformer.stack import Conformer


class _Layers:
    """What encoder and decoder have in common."""

    num_layers: int
    num_heads: int
    ff_dim: int
    ff_kernel_size: int
    kernel_size: int
    dropout: float
    norm: Literal["pre", "post"]

    def check_layers(self, width: int) -> Iterable[tuple[str, str]]:
        """Yield what is wrong at a width."""
        if width % self.num_heads:
            yield "num_heads", f"{self.num_heads} heads do not divide the width {width}"
        if width % 2:
            yield "", f"the width {width} must be even, for sines and cosines of distances"

    def size_of_layers(self, width: int) -> Size:
        """Return the size of the layers."""
        forward = conv1d(width, self.ff_dim, self.ff_kernel_size)
        back = conv1d(self.ff_dim, width, self.ff_kernel_size)
        attention = linear(width, width) * 4 + Size(width * width + 2 * width)
        pointwise = conv1d(width, 2 * width, 1) + conv1d(width, width, 1)
        depthwise = conv1d(width, width, self.kernel_size, groups=width) + batch_norm(width)
        layer = (forward + back) * 2 + attention + pointwise + depthwise + layer_norm(width) * 5
        return (layer + LAYER) * self.num_layers

    def build_layers(self, width: int) -> Conformer:
        """Return the layers."""
        from kokoro_plugins.conformer.stack import Conformer

        return Conformer(
            num_layers=self.num_layers,
            hidden_dim=width,
            num_heads=self.num_heads,
            ff_dim=self.ff_dim,
            ff_kernel_size=self.ff_kernel_size,
            kernel_size=self.kernel_size,
            dropout=self.dropout,
            norm=self.norm,
        )


def _odd(kernel_size: int) -> int:
    if kernel_size % 2 == 0:
        raise ValueError(f"must be odd to have a middle, not {kernel_size}")
    return kernel_size


class ConformerEncoderParams(_Layers, EncoderParams):
    """An embedding and a Conformer (Gulati et al., 2020), as ESPnet's FastSpeech 2 has it.

    Attributes:
        hidden_dim: Width; null for the spec's.
        num_layers: Layers.
        num_heads: Heads of the attention.
        ff_dim: Width of the feed-forward blocks.
        ff_kernel_size: Steps that their convolutions see, odd.
        kernel_size: Steps that the depthwise convolutions see, odd.
        dropout: Dropout, also of the attention's weights.
        norm: Whether each part's input is normalised, as in the paper, or the sum of input and
            result, as FastSpeech2Conformer does.
    """

    type: Literal["conformer"] = "conformer"
    hidden_dim: int | None = Field(default=None, ge=1)
    num_layers: int = Field(default=4, ge=1)
    num_heads: int = Field(default=2, ge=1)
    ff_dim: int = Field(default=1536, ge=1)
    ff_kernel_size: int = Field(default=3, ge=1)
    kernel_size: int = Field(default=7, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    norm: Literal["pre", "post"] = "pre"

    _is_odd = field_validator("ff_kernel_size", "kernel_size")(_odd)

    @property
    def capabilities(self) -> Capabilities:
        """The usual ones."""
        return Capabilities()

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what the heads and the width break."""
        return self.check_layers(sizes.hidden_dim)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the embedding and the layers."""
        width = sizes.hidden_dim
        return embedding(sizes.vocab_size, width) + self.size_of_layers(width)

    def build(self, sizes: Sizes) -> ConformerEncoder:
        """Return the encoder."""
        from kokoro_plugins.conformer.encoder import ConformerEncoder

        width = sizes.hidden_dim
        layers = self.build_layers(width)
        return ConformerEncoder(vocab_size=sizes.vocab_size, hidden_dim=width, conformer=layers)


class ParallelConformerParams(_Layers, DecoderParams):
    """A Conformer over frames and a linear layer to the mel, all frames at once.

    Attributes:
        hidden_dim: Width; null for the spec's.
        num_layers: Layers.
        num_heads: Heads of the attention.
        ff_dim: Width of the feed-forward blocks.
        ff_kernel_size: Steps that their convolutions see, odd.
        kernel_size: Steps that the depthwise convolutions see, odd.
        dropout: Dropout, also of the attention's weights.
        norm: Whether each part's input is normalised, as in the paper, or the sum of input and
            result, as FastSpeech2Conformer does.
    """

    parallel = True
    type: Literal["parallel_conformer"] = "parallel_conformer"
    hidden_dim: int | None = Field(default=None, ge=1)
    num_layers: int = Field(default=4, ge=1)
    num_heads: int = Field(default=2, ge=1)
    ff_dim: int = Field(default=1536, ge=1)
    ff_kernel_size: int = Field(default=3, ge=1)
    kernel_size: int = Field(default=31, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    norm: Literal["pre", "post"] = "pre"

    _is_odd = field_validator("ff_kernel_size", "kernel_size")(_odd)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what the heads and the width break."""
        return self.check_layers(sizes.hidden_dim)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the layers and the linear layer."""
        width = sizes.hidden_dim
        return self.size_of_layers(width) + linear(width, sizes.mel_dim)

    def build(self, sizes: Sizes) -> ParallelConformerDecoder:
        """Return the decoder."""
        from kokoro_plugins.conformer.decoder import ParallelConformerDecoder

        width = sizes.hidden_dim
        layers = self.build_layers(width)
        return ParallelConformerDecoder(hidden_dim=width, mel_dim=sizes.mel_dim, conformer=layers)


class FastSpeech2ConformerImporterParams(ImporterParams):
    """FastSpeech2Conformer of transformers, with its vocoder or without (which is left out)."""

    model_types: ClassVar[tuple[str, ...]] = (
        "fastspeech2_conformer",
        "fastspeech2_conformer_with_hifigan",
    )
    type: Literal["fastspeech2-conformer"] = "fastspeech2-conformer"

    def build(self) -> FastSpeech2ConformerImporter:
        """Return the importer."""
        from kokoro_plugins.conformer.importer import FastSpeech2ConformerImporter

        return FastSpeech2ConformerImporter()
