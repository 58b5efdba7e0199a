"""Settings of adversarial training; this file imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from kokoro_core.params.component import ComponentParams, StrictModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import ObjectiveParams

if TYPE_CHECKING:
    from kokoro_plugins.adversarial.discriminator import Discriminator
    from kokoro_plugins.adversarial.objective import Adversarial

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]


class DiscriminatorParams(ComponentParams, slot="discriminator"):
    """Tells what a model has made from what was recorded.

    Attributes:
        judges: What it looks at: ``mel``, which acoustic models make, or ``wave``.
    """

    judges: ClassVar[Literal["mel", "wave"]] = "mel"

    @abstractmethod
    def build(self, sizes: Sizes) -> Discriminator:
        """Return the discriminator."""


class PatchParams(DiscriminatorParams):
    """Judges patches of a mel by strided convolutions over time and channels (Isola et al., 2017).

    A layer more doubles a patch; several with different numbers of layers judge several lengths.

    Attributes:
        channels: Of the first layer; each further one has twice as many, up to eight times.
        num_layers: Convolutions that halve time and channels.
    """

    type: Literal["patch"] = "patch"
    channels: int = Field(default=32, ge=1)
    num_layers: int = Field(default=3, ge=1, le=6)

    def build(self, sizes: Sizes) -> Discriminator:
        """Return the discriminator."""
        from kokoro_plugins.adversarial.patch import Patch

        return Patch(channels=self.channels, num_layers=self.num_layers)


class MultiPeriodParams(DiscriminatorParams):
    """Judges every so many samples of a wave, for several periods (HiFi-GAN, Kong et al., 2020).

    Attributes:
        periods: Samples from one that is looked at to the next; a discriminator each.
        channels: Of the layers; the last one keeps the length, each before it divides it by three.
    """

    judges: ClassVar[Literal["mel", "wave"]] = "wave"

    type: Literal["multi_period"] = "multi_period"
    periods: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)] = (2, 3, 5, 7, 11)
    channels: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)] = (
        *(32, 128, 512),
        *(1024, 1024),
    )

    def build(self, sizes: Sizes) -> Discriminator:
        """Return the discriminator."""
        from kokoro_plugins.adversarial.multi_period import MultiPeriod

        return MultiPeriod(periods=self.periods, channels=self.channels)


class Resolution(StrictModel):
    """A resolution of spectrograms, in samples.

    Attributes:
        n_fft: Of the Fourier transform.
        hop_length: From one frame to the next.
        win_length: Of the window.
    """

    n_fft: int = Field(ge=2)
    hop_length: int = Field(ge=1)
    win_length: int = Field(ge=1)


_UNIVNET = tuple(
    Resolution(n_fft=n_fft, hop_length=hop, win_length=window)
    for n_fft, hop, window in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
)


class MultiResolutionParams(DiscriminatorParams):
    """Judges magnitude spectrograms of a wave in several resolutions (UnivNet, Jang et al., 2021).

    Attributes:
        resolutions: Of the spectrograms; a discriminator each.
        channels: Of every layer.
    """

    judges: ClassVar[Literal["mel", "wave"]] = "wave"

    type: Literal["multi_resolution"] = "multi_resolution"
    resolutions: Annotated[tuple[Resolution, ...], Field(strict=False, min_length=1)] = _UNIVNET
    channels: int = Field(default=32, ge=1)

    @field_validator("resolutions")
    @classmethod
    def _window_fits(cls, resolutions: tuple[Resolution, ...]) -> tuple[Resolution, ...]:
        for each in resolutions:
            if each.win_length > each.n_fft:
                raise ValueError(
                    f"must have windows of at most n_fft samples, not {each.win_length} of "
                    f"{each.n_fft}"
                )
        return resolutions

    def build(self, sizes: Sizes) -> Discriminator:
        """Return the discriminator."""
        from kokoro_plugins.adversarial.multi_resolution import MultiResolution

        return MultiResolution(
            resolutions=[(r.n_fft, r.hop_length, r.win_length) for r in self.resolutions],
            channels=self.channels,
        )


class AdversarialParams(ObjectiveParams):
    """Trains a model against discriminators that learn to tell its output from recordings.

    Its stages are ``discriminator`` and ``generator``; the latter adds the model's own loss.

    Attributes:
        discriminators: What judges.
        loss: ``hinge`` (Lim and Ye, 2017) or ``least_squares`` (Mao et al., 2017).
        weight: Of what the discriminators say of the model's output.
        feature_weight: Of feature matching (Larsen et al., 2016); 0: there is none.
        start: For so many steps the model trains by its own loss, and the discriminators wait.
    """

    type: Literal["adversarial"] = "adversarial"
    discriminators: Annotated[tuple[DiscriminatorParams, ...], Field(strict=False)] = (
        PatchParams(),
    )
    loss: Literal["hinge", "least_squares"] = "least_squares"
    weight: Weight = 1.0
    feature_weight: Weight = 2.0
    start: int = Field(default=0, ge=0)

    @field_validator("discriminators")
    @classmethod
    def _some(cls, value: tuple[DiscriminatorParams, ...]) -> tuple[DiscriminatorParams, ...]:
        if not value:
            raise ValueError("must name one or more, for example `- type: patch`")
        return value

    @property
    def needs(self) -> frozenset[str]:
        """What the discriminators judge."""
        return frozenset(each.judges for each in self.discriminators)

    def build(self, sizes: Sizes) -> Adversarial:
        """Return the objective."""
        from kokoro_plugins.adversarial.objective import Adversarial

        return Adversarial(
            discriminators=[(each.judges, each.build(sizes)) for each in self.discriminators],
            loss=self.loss,
            weight=self.weight,
            feature_weight=self.feature_weight,
            start=self.start,
        )
