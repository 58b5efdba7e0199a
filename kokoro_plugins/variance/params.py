"""Settings of the variance adaptor; this file imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import LAYER, Size, Sizes, conv1d, layer_norm, linear
from kokoro_core.slots import AdaptorParams

if TYPE_CHECKING:
    from kokoro_plugins.variance.adaptor import VarianceAdaptor


class VarianceParams(AdaptorParams):
    """Predicts a curve by convolutions and adds its embedding (FastSpeech 2, Ren et al., 2021).

    Attributes:
        feature: What it learns from; null for the feature with the adaptor's own name.
        reads: What the predictor reads: the vectors that arrive, to which adaptors before have
            added, or those of the encoder, as FastSpeech2Conformer does.
        stop_gradient: Whether the predictor teaches only itself.
        channels: Channels of each convolution.
        kernel_size: Steps that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Dropout after each LayerNorm.
        embedding_kernel_size: Steps that the embedding sees, odd.
        embedding_dropout: Dropout of the embedding.
    """

    type: Literal["variance"] = "variance"
    feature: str | None = Field(default=None, min_length=1)
    reads: Literal["x", "encoder"] = "x"
    stop_gradient: bool = False
    channels: int = Field(default=256, ge=1)
    kernel_size: int = Field(default=3, ge=1)
    num_layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    embedding_kernel_size: int = Field(default=1, ge=1)
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("kernel_size", "embedding_kernel_size")
    @classmethod
    def _is_odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(f"must be odd to have a middle, not {kernel_size}; 3 is FastSpeech's")
        return kernel_size

    @property
    def needs(self) -> frozenset[str]:
        """The encoder's vectors, if they are what it reads."""
        return frozenset({"encoder_hidden"} if self.reads == "encoder" else ())

    @property
    def target(self) -> Feature | None:
        """One number a step."""
        return Feature()

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The mean squared error of the prediction."""
        return {"prediction": 1.0}

    @property
    def capabilities(self) -> Capabilities:
        """It sees as far as its convolutions do; a predictor that is cut off has no slope."""
        predictor = 0 if self.reads == "encoder" else self.num_layers * (self.kernel_size // 2)
        embedding = self.embedding_kernel_size // 2 if self.reads == "x" else 0
        return Capabilities(
            receptive_field=predictor + embedding, exact_gradient=not self.stop_gradient
        )

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one that reads what arrives, one that is cut off, and one of the encoder's."""
        return {
            "": {},
            "cut": {"stop_gradient": True, "embedding_kernel_size": 3},
            "encoder": {"reads": "encoder"},
        }

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the predictor and the embedding."""
        first = LAYER + conv1d(sizes.hidden_dim, self.channels, self.kernel_size)
        others = (LAYER + conv1d(self.channels, self.channels, self.kernel_size)) * (
            self.num_layers - 1
        )
        norms = layer_norm(self.channels) * self.num_layers
        embedding = conv1d(1, sizes.hidden_dim, self.embedding_kernel_size)
        return first + others + norms + linear(self.channels, 1) + embedding

    def build(self, sizes: Sizes) -> VarianceAdaptor:
        """Return the adaptor."""
        from kokoro_plugins.variance.adaptor import CurvePredictor, VarianceAdaptor

        return VarianceAdaptor(
            predictor=CurvePredictor(
                hidden_dim=sizes.hidden_dim,
                channels=self.channels,
                kernel_size=self.kernel_size,
                num_layers=self.num_layers,
                dropout=self.dropout,
            ),
            hidden_dim=sizes.hidden_dim,
            embedding_kernel_size=self.embedding_kernel_size,
            embedding_dropout=self.embedding_dropout,
            stop_gradient=self.stop_gradient,
        )
