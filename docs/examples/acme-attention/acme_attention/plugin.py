"""The settings of the aligner, and what the plugin brings; this file imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core import hookimpl
from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import Size, Sizes, linear
from kokoro_core.slots import AlignerParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Aligner

KOKORO_API = 2


class AttentionParams(AlignerParams):
    """Each frame attends to the phonemes; the likeliest monotonic path gives the durations.

    It learns to make that path likelier still (Viterbi training, Juang and Rabiner, 1990).

    Attributes:
        channels: Width in which frames and phonemes are compared.
        diagonal: How much an even pace is preferred; it leads the first steps.
    """

    type: Literal["attention"] = "attention"
    channels: int = Field(default=64, ge=1)
    diagonal: float = Field(default=10.0, ge=0)

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The weight of the path's negative log-likelihood."""
        return {"path": 1.0}

    @property
    def capabilities(self) -> Capabilities:
        """The search is in no graph."""
        return Capabilities(compilable=False)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the layers of phonemes and of frames."""
        return linear(sizes.hidden_dim, self.channels) + linear(sizes.mel_dim, self.channels)

    def build(self, sizes: Sizes) -> Aligner:
        """Return the aligner."""
        from acme_attention.aligner import AttentionAligner

        return AttentionAligner(
            hidden_dim=sizes.hidden_dim,
            mel_dim=sizes.mel_dim,
            channels=self.channels,
            diagonal=self.diagonal,
        )


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the aligner."""
    return [AttentionParams]


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return a model with it."""
    return {"acme-attention": files("acme_attention") / "acme-attention.yaml"}
