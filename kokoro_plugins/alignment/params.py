"""Settings of the aligners; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities, SideInput
from kokoro_core.params.features import Feature, PartName
from kokoro_core.params.sizes import Size, Sizes, conv1d, linear
from kokoro_core.slots import AlignerParams
from kokoro_plugins.alignment.feature import MARK

if TYPE_CHECKING:
    from kokoro_plugins.alignment.forward_sum import ForwardSum
    from kokoro_plugins.alignment.prior_search import PriorSearch


def _learned_from(marks: bool) -> Mapping[str, Feature]:
    return {MARK: Feature("phoneme", "index", 2, when="training")} if marks else {}


class PriorSearchParams(AlignerParams):
    """Alignment search under a Gaussian prior with a mean a phoneme (Glow-TTS, Kim et al., 2020).

    Attributes:
        prior: The encoder's part with the means, of as many channels as the mel; null: a linear
            layer makes them of the hidden vectors.
        log_scale: The encoder's part with the logarithms of their deviations; null: they are 0.
        reads: What is searched: the mel, or the latents that a decoder such as `coupling_flow` maps
            it to. Their likelihood is the decoder's loss, and the aligner has none.
        diagonal: Weight in the search of a beta-binomial prior along the diagonal, as
            `forward_sum` has it; with 1, means that still are 0 are aligned evenly.
        marks: Whether the corpus says by its feature `mark` which phonemes have no sound of their
            own, such as stress marks; each then has a frame of the sound after it.
    """

    type: Literal["prior_search"] = "prior_search"
    prior: PartName | None = None
    log_scale: PartName | None = None
    reads: Literal["mel", "latents"] = "mel"
    diagonal: float = Field(default=0.0, ge=0)
    marks: bool = False

    @property
    def features(self) -> Mapping[str, Feature]:
        """The marks, if the corpus says them."""
        return _learned_from(self.marks)

    @property
    def needs(self) -> frozenset[str]:
        """The prior, where it is the encoder's, and the latents, if they are searched."""
        latents = "latents" if self.reads == "latents" else None
        return frozenset(each for each in (self.prior, self.log_scale, latents) if each)

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The negative log-likelihood of the mel under the prior."""
        return {"prior": 1.0} if self.reads == "mel" else {}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield a prior of its own that no loss would teach."""
        if self.reads == "latents" and self.prior is None:
            yield (
                "prior",
                "must name the encoder's part where latents are searched, since the aligner then "
                "has no loss by which means of its own would be learned",
            )

    @property
    def capabilities(self) -> Capabilities:
        """The search is in no graph; a prior has the channels of the mel."""
        parts = [each for each in (self.prior, self.log_scale) if each]
        prior = dict.fromkeys(parts, SideInput("float", "step", "mel_dim"))
        return Capabilities(compilable=False, side_inputs=prior)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one with a layer of its own, and those with the encoder's prior."""
        prior = {"prior": "mu", "log_scale": "log_sigma"}
        return {
            "": {},
            "prior": {"prior": "mu", "diagonal": 1.0},
            "deviations": prior,
            "latents": {**prior, "reads": "latents"},
            "marks": {"marks": True},
        }

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the linear layer, if there is one."""
        return Size() if self.prior else linear(sizes.hidden_dim, sizes.mel_dim)

    def build(self, sizes: Sizes) -> PriorSearch:
        """Return the aligner."""
        from kokoro_plugins.alignment.prior_search import PriorSearch

        return PriorSearch(
            hidden_dim=sizes.hidden_dim,
            mel_dim=sizes.mel_dim,
            prior=self.prior,
            log_scale=self.log_scale,
            reads=self.reads,
            diagonal=self.diagonal,
        )


class ForwardSumParams(AlignerParams):
    """A learned alignment (One TTS Alignment To Rule Them All, Badlani et al., 2021).

    Attributes:
        channels: Width in which frames and phonemes are compared.
        temperature: Multiplies their squared distances; with the authors' 0.0005 it settles later.
        use_prior: Whether alignments near the diagonal are preferred, by a beta-binomial prior.
        marks: Whether the corpus says by its feature `mark` which phonemes have no sound of their
            own, such as stress marks; each then has a frame of the sound after it.
    """

    type: Literal["forward_sum"] = "forward_sum"
    channels: int = Field(default=80, ge=1)
    temperature: float = Field(default=0.01, gt=0)
    use_prior: bool = True
    marks: bool = False

    @property
    def features(self) -> Mapping[str, Feature]:
        """The marks, if the corpus says them."""
        return _learned_from(self.marks)

    @property
    def losses(self) -> Mapping[str, float | None]:
        """All alignments together, and how far the soft alignment is from the chosen one."""
        return {"forward_sum": 1.0, "binarise": 1.0}

    @property
    def capabilities(self) -> Capabilities:
        """The search is in no graph."""
        return Capabilities(compilable=False)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one with the beta-binomial prior, and one without."""
        return {"": {}, "free": {"use_prior": False, "temperature": 0.05}, "marks": {"marks": True}}

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the convolutions over phonemes and over frames."""
        hidden, mel = sizes.hidden_dim, sizes.mel_dim
        keys = conv1d(hidden, 2 * hidden, 3) + conv1d(2 * hidden, self.channels, 1)
        last = conv1d(2 * mel, mel, 1) + conv1d(mel, self.channels, 1)
        return keys + conv1d(mel, 2 * mel, 3) + last

    def build(self, sizes: Sizes) -> ForwardSum:
        """Return the aligner."""
        from kokoro_plugins.alignment.forward_sum import ForwardSum

        return ForwardSum(
            hidden_dim=sizes.hidden_dim,
            mel_dim=sizes.mel_dim,
            channels=self.channels,
            temperature=self.temperature,
            use_prior=self.use_prior,
        )
