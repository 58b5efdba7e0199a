"""The slots of a speech model: the params base class of each, and how the model's parts connect.

This file imports no torch. A component derives from one of these classes, adds its settings and
implements `build`, which imports the component's module inside the function and returns it.

`MODEL_SLOTS` is the only list of the parts of a model: the rules for specs, assembly, drawings,
`new-spec` and the kit's checks of models read it. Adding a slot takes a base class and a row here,
a field of `ModelSpec`, a contract, and the call in `AcousticModel`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

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


@dataclass(frozen=True)
class Port:
    """A tensor that flows from part to part.

    Attributes:
        width: The setting of a spec that its width follows where no component sets one.
        shape: As a drawing writes it, the width to be filled in.
    """

    width: str
    shape: str


PORTS: Mapping[str, Port] = {
    "hidden": Port("hidden_dim", "(B, N, {})"),
    "memory": Port("hidden_dim", "(B, T, {})"),
    "mel": Port("mel_dim", "(B, T, {})"),
}

VECTORS = frozenset(name for name, port in PORTS.items() if port.width == "hidden_dim")
"""The ports of hidden vectors, whose width a component is built with."""

End = tuple[str, str]
"""One end of a connection: a slot and one of its ports."""


@dataclass(frozen=True)
class ModelSlot:
    """A part of a model, and where its inputs come from.

    Attributes:
        slot: Its name and the base of its params.
        contract: The class that its modules derive from, as ``package.module:Class``.
        arguments: What the contract passes to it, so that no side input can have these names.
        takes: For each input the outputs that can feed it, best first; the first whose slot is
            filled does.
        required: Whether a spec must have the key; one that may be left out may be null as well.
    """

    slot: Slot[Any]
    contract: str
    arguments: frozenset[str]
    takes: Mapping[str, tuple[End, ...]] = field(default_factory=dict)
    required: bool = True


def _by_name(*rows: ModelSlot) -> Mapping[str, ModelSlot]:
    return {row.slot.name: row for row in rows}


MODEL_SLOTS = _by_name(
    ModelSlot(
        ENCODER,
        "kokoro_core.contracts:Encoder",
        frozenset({"phoneme_indices", "padding_mask"}),
    ),
    ModelSlot(
        DURATION_PREDICTOR,
        "kokoro_core.contracts:DurationPredictor",
        frozenset({"hidden", "padding_mask", "durations"}),
        {"hidden": (("encoder", "hidden"),)},
    ),
    ModelSlot(
        REGULATOR,
        "kokoro_core.contracts:Regulator",
        frozenset({"hidden", "durations", "padding_mask", "num_frames"}),
        {"hidden": (("encoder", "hidden"),)},
    ),
    ModelSlot(
        DECODER,
        "kokoro_core.contracts:Decoder",
        frozenset({"memory", "memory_padding_mask", "mel_specs", "mel_padding_mask"}),
        {"memory": (("regulator", "memory"), ("encoder", "hidden"))},
    ),
    ModelSlot(
        POSTNET,
        "kokoro_core.contracts:Postnet",
        frozenset({"mel", "padding_mask"}),
        {"mel": (("decoder", "mel"),)},
        required=False,
    ),
)
"""The parts of a model by name, in the order in which data flows through them."""
