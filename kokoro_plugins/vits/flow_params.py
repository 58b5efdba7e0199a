"""Settings of the coupling flow; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities, SideInput
from kokoro_core.params.features import PartName
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import LAYER, Size, Sizes, conv1d, linear
from kokoro_core.slots import DecoderParams
from kokoro_plugins.vits.params import odd

if TYPE_CHECKING:
    from kokoro_plugins.vits.decoder import CouplingFlowDecoder


class CouplingFlowParams(DecoderParams):
    """Invertible couplings between mel and a Gaussian prior, learned by likelihood (VITS, 2021).

    Attributes:
        mean: The encoder's part with the means of the prior, of as many channels as the mel; null:
            a linear layer makes them of the memory.
        log_scale: The encoder's part with its log deviations; null: they are 0, as in Glow-TTS.
        width: Channels of the WaveNets; null: the spec's width.
        num_flows: Couplings.
        num_layers: Layers of each WaveNet.
        kernel_size: Frames that each convolution sees, odd.
        dilation: What the dilation is multiplied by from layer to layer.
        dropout: Dropout of the WaveNets.
        mean_only: Whether couplings shift and do not scale, as in VITS.
    """

    parallel = True
    type: Literal["coupling_flow"] = "coupling_flow"
    mean: PartName | None = "mu"
    log_scale: PartName | None = "log_sigma"
    width: int | None = Field(default=None, ge=1)
    num_flows: int = Field(default=4, ge=1)
    num_layers: int = Field(default=4, ge=1)
    kernel_size: int = Field(default=5, ge=1)
    dilation: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    mean_only: bool = True

    _is_odd = field_validator("kernel_size")(odd)

    @property
    def gives_latents(self) -> bool:
        """It maps the mel to latents, whose prior the encoder gives."""
        return True

    @property
    def needs(self) -> frozenset[str]:
        """The prior, the latents if they are there already, and noise to draw from."""
        return frozenset({"noise", "latents", *self._parts})

    @property
    def _parts(self) -> list[str]:
        return [each for each in (self.mean, self.log_scale) if each]

    @property
    def options(self) -> Mapping[str, Option]:
        """The deviation of the noise."""
        what = "What the deviations of the latents are multiplied by; at 0 nothing is random."
        return {"temperature": Option(0.667, low=0.0, help=what)}

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The negative log-likelihood of the mel."""
        return {"likelihood": 1.0}

    @property
    def replaces(self) -> frozenset[str]:
        """The errors of the mel."""
        return frozenset({"mel"})

    @property
    def capabilities(self) -> Capabilities:
        """Each coupling adds the reach of its WaveNet."""
        reach = sum(self.dilation**layer for layer in range(self.num_layers))
        parts = dict.fromkeys(self._parts, SideInput("float", "step", "mel_dim"))
        reach *= self.num_flows * (self.kernel_size // 2)
        return Capabilities(receptive_field=reach, side_inputs=parts)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return couplings that shift, and some that scale, with a prior made of the memory."""
        small = {"mean": None, "log_scale": None, "width": 6, "num_flows": 2, "num_layers": 1}
        return {"": small, "scaling": {**small, "mean_only": False}}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the mel's channels if there is but one, which nothing could be shifted by."""
        if sizes.mel_dim < 2:
            yield "", f"`mel_dim` must be at least 2, for two halves, not {sizes.mel_dim}"

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the couplings, and of the prior if it is made here."""
        width, still = self.width or sizes.hidden_dim, sizes.mel_dim // 2
        moved = (sizes.mel_dim - still) * (1 if self.mean_only else 2)
        gated = conv1d(width, 2 * width, self.kernel_size) + Size(2 * width) + LAYER
        out = conv1d(width, 2 * width, 1) + Size(2 * width)
        last = conv1d(width, width, 1) + Size(width)
        wavenet = gated * self.num_layers + out * (self.num_layers - 1) + last
        coupling = linear(still, width) + wavenet + linear(width, moved)
        prior = Size() if self.mean else linear(sizes.hidden_dim, sizes.mel_dim)
        return coupling * self.num_flows + prior

    def build(self, sizes: Sizes) -> CouplingFlowDecoder:
        """Return the decoder."""
        from kokoro_plugins.vits.coupling_flow import Coupling, CouplingFlow
        from kokoro_plugins.vits.decoder import CouplingFlowDecoder

        settings = self.model_dump(
            include={"num_layers", "kernel_size", "dilation", "dropout", "mean_only"}
        )
        width = self.width or sizes.hidden_dim
        couplings = [
            Coupling(channels=sizes.mel_dim, width=width, **settings) for _ in range(self.num_flows)
        ]
        return CouplingFlowDecoder(
            hidden_dim=sizes.hidden_dim,
            mel_dim=sizes.mel_dim,
            flow=CouplingFlow(couplings),
            mean=self.mean,
            log_scale=self.log_scale,
        )
