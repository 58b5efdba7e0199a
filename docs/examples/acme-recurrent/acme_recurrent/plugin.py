"""The settings of the encoder, and what the plugin brings; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core import hookimpl
from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import LAYER, Size, Sizes, embedding, layer_norm
from kokoro_core.slots import EncoderParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Encoder

KOKORO_API = 2


class RecurrentParams(EncoderParams):
    """LSTMs in both directions with residual connections (Graves and Schmidhuber, 2005).

    Attributes:
        num_layers: Layers.
        dropout: After each layer, in training.
    """

    type: Literal["recurrent"] = "recurrent"
    num_layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield a width that two directions cannot share."""
        if sizes.hidden_dim % 2:
            yield (
                "type",
                f"two directions share a width, so it must be even, not {sizes.hidden_dim}",
            )

    @property
    def capabilities(self) -> Capabilities:
        """No LSTM is compiled into one graph."""
        return Capabilities(compilable=False)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the table, the LSTMs (four gates, two biases each) and the norms."""
        width, each = sizes.hidden_dim, sizes.hidden_dim // 2
        lstm = Size(2 * 4 * each * (width + each + 2))
        layer = LAYER + lstm + layer_norm(width)
        return embedding(sizes.vocab_size, width) + layer * self.num_layers

    def build(self, sizes: Sizes) -> Encoder:
        """Return the encoder."""
        from acme_recurrent.encoder import RecurrentEncoder

        return RecurrentEncoder(
            vocab_size=sizes.vocab_size,
            hidden_dim=sizes.hidden_dim,
            num_layers=self.num_layers,
            dropout=self.dropout,
        )


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the encoder."""
    return [RecurrentParams]


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return a model with it."""
    return {"acme-recurrent": files("acme_recurrent") / "acme-recurrent.yaml"}
