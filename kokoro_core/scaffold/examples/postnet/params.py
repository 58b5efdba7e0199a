"""The settings of the component: what a spec may say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import Size, Sizes, conv1d
from kokoro_core.slots import PostnetParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Postnet


class ExampleParams(PostnetParams):
    """Two convolutions that correct the finished mel.

    Attributes:
        channels: Width between the two.
        kernel_size: Frames that each sees, odd.
    """

    type: Literal["example"] = "example"
    channels: int = Field(default=128, ge=1)
    kernel_size: int = Field(default=5, ge=1)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the window if it has no middle."""
        if self.kernel_size % 2 == 0:
            yield "kernel_size", f"{self.kernel_size} is even; take {self.kernel_size + 1}"

    @property
    def capabilities(self) -> Capabilities:
        """Each of the two convolutions sees half a window at each side."""
        return Capabilities(receptive_field=2 * (self.kernel_size // 2))

    def size(self, sizes: Sizes) -> Size:
        """Return the size of both convolutions."""
        inner = conv1d(sizes.mel_dim, self.channels, self.kernel_size)
        return inner + conv1d(self.channels, sizes.mel_dim, self.kernel_size)

    def build(self, sizes: Sizes) -> Postnet:
        """Return the postnet."""
        from kokoro_core.scaffold.examples.postnet.postnet import ExamplePostnet

        return ExamplePostnet(
            mel_dim=sizes.mel_dim, channels=self.channels, kernel_size=self.kernel_size
        )
