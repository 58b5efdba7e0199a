"""The settings of the component: what a spec may say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import LAYER, Size, Sizes, conv1d, linear
from kokoro_core.slots import DecoderParams

if TYPE_CHECKING:
    from kokoro_core.contracts import ParallelDecoder


class ExampleParams(DecoderParams):
    """Makes all frames at once: convolutions over the memory.

    Attributes:
        num_layers: Layers.
        kernel_size: Frames that a layer sees, odd.
        dropout: After each layer, in training.
    """

    parallel: ClassVar[bool] = True

    type: Literal["example"] = "example"
    num_layers: int = Field(default=3, ge=1)
    kernel_size: int = Field(default=5, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the window if it has no middle."""
        if self.kernel_size % 2 == 0:
            yield "kernel_size", f"{self.kernel_size} is even; take {self.kernel_size + 1}"

    @property
    def capabilities(self) -> Capabilities:
        """A layer sees half a window at each side, and so does the next."""
        return Capabilities(receptive_field=self.num_layers * (self.kernel_size // 2))

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the layers and the way out."""
        width = sizes.hidden_dim
        layer = LAYER + conv1d(width, width, self.kernel_size)
        return layer * self.num_layers + linear(width, sizes.mel_dim)

    def build(self, sizes: Sizes) -> ParallelDecoder:
        """Return the decoder."""
        from kokoro_core.scaffold.examples.parallel_decoder.decoder import ExampleDecoder

        return ExampleDecoder(
            mel_dim=sizes.mel_dim,
            hidden_dim=sizes.hidden_dim,
            num_layers=self.num_layers,
            kernel_size=self.kernel_size,
            dropout=self.dropout,
        )
