"""The slots of a speech model: the params base class of each, with its typed `build`.

This file imports no torch. A component derives from one of these classes, adds its settings and
implements `build`, which imports the component's module inside the function and returns it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import Size, Sizes
from registry import Slot

if TYPE_CHECKING:
    from kokoro_core.contracts import (
        Decoder,
        DurationPredictor,
        Encoder,
        PositionalEncoding,
        Postnet,
        Regulator,
    )
    from kokoro_core.contracts.checkpoints import Checkpointer
    from kokoro_core.contracts.profiler import Profiler
    from kokoro_core.contracts.speech import Corpus, Frontend, Vocoder


class PartParams(ComponentParams):
    """What the parts of a model have in common."""

    @property
    def own_losses(self) -> tuple[str, ...]:
        """Names of the losses that it returns itself, in place of the framework's; for drawings."""
        return ()

    def size(self, sizes: Sizes) -> Size | None:
        """Return how large the part is, from the settings alone, or None if that is not known.

        It is asked before anything is allocated, so it must not build the part; the check
        `check_size` of `kokoro_core.testing` compares it with what is built.
        """
        return None


class EncoderParams(PartParams, slot="encoder"):
    """Turns phoneme indices into hidden vectors."""

    gives: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim"}

    @abstractmethod
    def build(self, sizes: Sizes) -> Encoder:
        """Return the encoder."""


class DurationPredictorParams(PartParams, slot="duration_predictor"):
    """Predicts for how many frames each phoneme lasts."""

    takes: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim"}

    @abstractmethod
    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""


class RegulatorParams(PartParams, slot="regulator"):
    """Expands hidden vectors, one a phoneme, to memory, one a frame."""

    takes: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim"}
    gives: ClassVar[Mapping[str, str]] = {"memory": "hidden_dim"}

    @abstractmethod
    def build(self, sizes: Sizes) -> Regulator:
        """Return the regulator."""


class DecoderParams(PartParams, slot="decoder"):
    """Turns memory into a mel spectrogram.

    Attributes:
        parallel: Whether it makes all frames at once, so that it needs one memory vector a frame
            and has no stop head.
    """

    parallel: ClassVar[bool] = False
    takes: ClassVar[Mapping[str, str]] = {"memory": "hidden_dim"}
    gives: ClassVar[Mapping[str, str]] = {"mel": "mel_dim"}

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        """Settings because of which the memory must have one vector a frame, from a regulator."""
        return ("type",) if self.parallel else ()

    @abstractmethod
    def build(self, sizes: Sizes) -> Decoder:
        """Return the decoder."""


class PostnetParams(PartParams, slot="postnet"):
    """Refines a coarse mel."""

    takes: ClassVar[Mapping[str, str]] = {"mel": "mel_dim"}
    gives: ClassVar[Mapping[str, str]] = {"mel": "mel_dim"}

    @abstractmethod
    def build(self, sizes: Sizes) -> Postnet:
        """Return the postnet."""


class PositionalEncodingParams(ComponentParams, slot="positional_encoding"):
    """Tells attention where in the sequence a vector stands.

    Attributes:
        offsetable: Whether it can say where a vector stands without the ones before it, as an
            autoregressive decoder asks it from the second step on.
    """

    offsetable: ClassVar[bool] = True

    def check_stack(self, *, hidden_dim: int, num_heads: int) -> Iterable[tuple[str, str]]:
        """Yield (field, message) for each rule that a stack of these sizes breaks."""
        return ()

    def size(self, *, hidden_dim: int, num_heads: int) -> Size | None:
        """Return how large it is in a stack of these sizes, or None if that is not known."""
        return None

    @abstractmethod
    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        """Return the positional encoding of a stack of that width and number of heads."""


class FrontendParams(ComponentParams, slot="frontend"):
    """Turns text into phoneme indices."""

    @abstractmethod
    def build(self, sizes: Sizes) -> Frontend:
        """Return the frontend.

        Raises:
            ValueError: The frontend has another number of symbols than the model.
        """


class VocoderParams(ComponentParams, slot="vocoder"):
    """Turns a mel spectrogram into a waveform."""

    @abstractmethod
    def build(self, audio: AudioSettings) -> Vocoder:
        """Return the vocoder for mels of these settings.

        Raises:
            AudioMismatch: The vocoder was made for other settings.
        """


class CorpusParams(ComponentParams, slot="corpus"):
    """Brings aligned utterances to train on."""

    @abstractmethod
    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus, its mels made with these settings.

        Raises:
            CorpusError: The data is missing or does not fit together; it lists every problem.
        """


class ProfilerParams(ComponentParams, slot="profiler"):
    """Measures where time and memory go."""

    @abstractmethod
    def build(self) -> Profiler:
        """Return the profiler, attached to nothing."""


class CheckpointerParams(ComponentParams, slot="checkpointer"):
    """Writes models to files and reads them back.

    Attributes:
        suffixes: The endings of the files that it handles, each with its dot.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self) -> Checkpointer:
        """Return the checkpointer."""


ENCODER = Slot("encoder", EncoderParams)
DURATION_PREDICTOR = Slot("duration_predictor", DurationPredictorParams)
REGULATOR = Slot("regulator", RegulatorParams)
DECODER = Slot("decoder", DecoderParams)
POSTNET = Slot("postnet", PostnetParams)
POSITIONAL_ENCODING = Slot("positional_encoding", PositionalEncodingParams)
FRONTEND = Slot("frontend", FrontendParams)
VOCODER = Slot("vocoder", VocoderParams)
CORPUS = Slot("corpus", CorpusParams)
PROFILER = Slot("profiler", ProfilerParams)
CHECKPOINTER = Slot("checkpointer", CheckpointerParams)
