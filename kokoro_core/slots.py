"""The slots of a speech model: the params base class of each, and how the model's parts connect.

This file imports no torch. A component derives from one of these classes, adds its settings and
implements `build`, which imports the component's module inside the function and returns it.

`MODEL_SLOTS` is the only list of the parts of a model: the rules for specs, assembly, drawings,
`new-spec` and the kit's checks of models read it. Adding a slot takes a base class and a row here,
a field of `ModelSpec`, a contract, and the call in `AcousticModel`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import ComponentParams, declared
from kokoro_core.params.features import Feature
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import Size, Sizes
from registry import Slot

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from torch.optim import Optimizer

    from kokoro_core.contracts import (
        Adaptor,
        Aligner,
        Conditioner,
        Decoder,
        DurationPredictor,
        Encoder,
        NeuralVocoder,
        Objective,
        PositionalEncoding,
        Postnet,
        Regulator,
        Schedule,
    )
    from kokoro_core.contracts.checkpoints import Checkpointer
    from kokoro_core.contracts.importing import Importer
    from kokoro_core.contracts.profiler import Profiler
    from kokoro_core.contracts.speech import Corpus, Frontend, Normalizer, Vocoder


class PartParams(ComponentParams):
    """What the parts of a model have in common."""

    @property
    def losses(self) -> Mapping[str, float | None] | None:
        """The default weight of each loss that it returns itself, by name.

        In the model's losses they are called ``PLACE.NAME``, such as ``decoder.flow``; one whose
        weight is None must be weighed in the spec's section ``loss``. None: nothing is declared,
        and its losses keep their bare names and count once.
        """
        return None

    @property
    def replaces(self) -> frozenset[str] | None:
        """What its own losses stand for: a subset of ``mel``, ``duration`` and ``stop``.

        None: a decoder's stand for the losses of the mel, a duration predictor's for that of the
        durations.
        """
        return None

    @property
    def own_losses(self) -> tuple[str, ...]:
        """Names of the losses that it returns itself, for drawings."""
        return tuple(declared(self, "losses", None) or ())

    def size(self, sizes: Sizes) -> Size | None:
        """Return how large the part is, from the settings alone, or None if that is not known.

        It is asked before anything is allocated, so it must not build the part; the check
        `check_size` of `kokoro_core.testing` compares it with what is built.
        """
        return None


class ConditionerParams(PartParams, slot="conditioner"):
    """Makes one vector an utterance of its features; other parts need it as ``NAME_embedding``.

    Attributes:
        add: Whether a linear layer of the model maps it to the hidden vectors' width, and it is
            added to them.
    """

    add: bool = False

    @abstractmethod
    def width(self, sizes: Sizes) -> int:
        """Return the width of the vector."""

    @abstractmethod
    def build(self, sizes: Sizes) -> Conditioner:
        """Return the conditioner."""


class EncoderParams(PartParams, slot="encoder"):
    """Turns phoneme indices into hidden vectors."""

    gives: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim"}

    def gives_parts(self, sizes: Sizes) -> Mapping[str, int]:
        """Return the width of each further tensor that it gives, by the name others need it by.

        Parts before the plan get it with one vector a phoneme, those after it expanded to frames.
        """
        return {}

    @abstractmethod
    def build(self, sizes: Sizes) -> Encoder:
        """Return the encoder."""


class AlignerParams(PartParams, slot="aligner"):
    """Finds in training which frames belong to which phoneme."""

    takes: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim"}

    @abstractmethod
    def build(self, sizes: Sizes) -> Aligner:
        """Return the aligner."""


class AdaptorParams(PartParams, slot="adaptor"):
    """Adds to vectors what it predicts; before the plan one a phoneme, after it one a frame.

    What it learns from is the feature with the name under which the spec lists it, or the one that
    its field ``feature`` names.
    """

    takes: ClassVar[Mapping[str, str]] = {"x": "hidden_dim"}
    gives: ClassVar[Mapping[str, str]] = {"x": "hidden_dim"}

    @property
    def target(self) -> Feature | None:
        """The form of the feature that it learns from; None: it learns from no feature."""
        return None

    @property
    def options(self) -> Mapping[str, Option]:
        """The factor of a prediction in speaking."""
        return {"control": Option(1.0, help="What the prediction is multiplied by.")}

    @abstractmethod
    def build(self, sizes: Sizes) -> Adaptor:
        """Return the adaptor."""


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

    One whose `gives` has ``wave`` instead of ``mel`` makes the samples of each frame, of which it
    has `Sizes.hop_length`; it is parallel, learns by losses of its own, from the feature ``wave``,
    and its spec has no vocoder.

    Attributes:
        parallel: Whether it makes all frames at once, so that it needs one memory vector a frame
            and has no stop head.
    """

    parallel: ClassVar[bool] = False
    takes: ClassVar[Mapping[str, str]] = {"memory": "hidden_dim"}
    gives: ClassVar[Mapping[str, str]] = {"mel": "mel_dim"}

    @property
    def has_stop_head(self) -> bool:
        """Whether it says of each frame how likely it is the last, and learns that."""
        return not self.parallel

    @property
    def gives_latents(self) -> bool:
        """Whether it maps the true mel to latents in training, which others need as `latents`."""
        return False

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


class NormalizerParams(ComponentParams, slot="normalizer"):
    """Writes a text as it is read, within a frontend.

    Attributes:
        languages: The languages that it knows, such as ``en``; None: any.
    """

    languages: ClassVar[frozenset[str] | None] = None

    @abstractmethod
    def build(self) -> Normalizer:
        """Return the normalizer.

        Raises:
            ValueError: A package that it needs is not installed.
        """


class VocoderParams(ComponentParams, slot="vocoder"):
    """Turns a mel spectrogram into a waveform.

    Attributes:
        model_types: What ``model_type`` says in the ``config.json`` of published folders that
            `read_published` reads.
    """

    model_types: ClassVar[tuple[str, ...]] = ()

    @property
    def trained(self) -> bool:
        """Whether it has weights that its settings do not bring.

        `build` then returns a `NeuralVocoder` whose weights are drawn, which `train-vocoder` trains
        and a checkpoint fills.
        """
        return False

    @classmethod
    def read_published(
        cls, folder: Path, audio: AudioSettings
    ) -> tuple[VocoderParams, NeuralVocoder]:
        """Return the vocoder of a published folder, and the settings by which it is built alone.

        Args:
            folder: Whose ``config.json`` has one of `model_types`.
            audio: The settings of the mels that it is to read.

        Raises:
            AudioMismatch: The vocoder was made for other settings.
            CheckpointError: The folder is damaged, or has settings that the vocoder cannot have.
            NotImplementedError: It reads none.
        """
        raise NotImplementedError(f"`{cls.__name__}` reads no published folders.")

    @abstractmethod
    def build(self, audio: AudioSettings) -> Vocoder:
        """Return the vocoder for mels of these settings.

        Raises:
            AudioMismatch: The vocoder was made for other settings.
        """


class CorpusParams(ComponentParams, slot="corpus"):
    """Brings utterances to train on."""

    @property
    def has_durations(self) -> bool:
        """Whether its utterances are aligned, as far as that can be told without reading them."""
        return True

    @property
    def gives_features(self) -> frozenset[str]:
        """Names of the features that its utterances have."""
        return frozenset()

    @property
    def gives_names(self) -> Mapping[str, frozenset[str]]:
        """The names that features such as the speaker have, as far as they are known unread."""
        return {}

    @abstractmethod
    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus, its mels made with these settings.

        Raises:
            CorpusError: The data is missing or does not fit together; it lists every problem.
        """

    def write(
        self,
        corpus: Corpus,
        *,
        audio: AudioSettings,
        frontend: Frontend,
        features: Iterable[str] = (),
        made_of: str = "",
        workers: int = 0,
    ) -> bool:
        """Write the utterances of another corpus, so that `build` reads them.

        The same call goes on where the last one was stopped.

        Args:
            corpus: Made with these settings and this frontend.
            audio: The settings of its mels.
            frontend: Its symbols are those of the phoneme indices.
            features: Names of what is written of the utterances beside phonemes, mels and names.
            made_of: Differs if what the corpus was made of does; what was written of another is
                written anew.
            workers: Processes that read the corpus ahead; 0: this one.

        Returns:
            Whether anything was written; what is there already stays.

        Raises:
            CorpusError: An utterance does not fit, or the place holds something else.
            NotImplementedError: This kind of corpus is only read.
        """
        raise NotImplementedError(f"The corpus `{self.type}` is only read.")


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


class ImporterParams(ComponentParams, slot="importer"):
    """Turns a checkpoint that others published into one of ours.

    Attributes:
        model_types: What ``model_type`` says in the ``config.json`` of those that it reads.
    """

    model_types: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self) -> Importer:
        """Return the importer."""


class OptimizerParams(ComponentParams, slot="optimizer"):
    """Moves weights after each step of a training.

    Attributes:
        scheduled: Whether a schedule multiplies its rate; False: it decides that itself.
        lr: Peak of the learning rate.
    """

    scheduled: ClassVar[bool] = True

    lr: float = Field(default=1e-3, gt=0)

    @abstractmethod
    def build(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> Optimizer:
        """Return the optimizer.

        Args:
            parameters: Those that it moves.
            module: They are in it, and may be told apart by the layers that they belong to.

        Raises:
            ValueError: A package that it needs is not installed.
        """


class ScheduleParams(ComponentParams, slot="schedule"):
    """Says for each step of a training which share of its peak the learning rate has.

    Attributes:
        to_the_end: Whether that depends on when the training ends.
    """

    to_the_end: ClassVar[bool] = False

    @abstractmethod
    def build(self) -> Schedule:
        """Return the schedule."""


class ObjectiveParams(ComponentParams, slot="objective"):
    """Says what a model is trained for beside its own loss, in stages with an optimizer each.

    What it has of parameters is saved with the training and never needed to speak. In `needs` it
    lists what it reads of a model's output: acoustic models give ``mel``, vocoders ``wave``.
    """

    @abstractmethod
    def build(self, sizes: Sizes) -> Objective:
        """Return the objective for a model of these sizes."""


CONDITIONER = Slot("conditioner", ConditionerParams)
ENCODER = Slot("encoder", EncoderParams)
ALIGNER = Slot("aligner", AlignerParams)
ADAPTOR = Slot("adaptor", AdaptorParams)
DURATION_PREDICTOR = Slot("duration_predictor", DurationPredictorParams)
REGULATOR = Slot("regulator", RegulatorParams)
DECODER = Slot("decoder", DecoderParams)
POSTNET = Slot("postnet", PostnetParams)
POSITIONAL_ENCODING = Slot("positional_encoding", PositionalEncodingParams)
FRONTEND = Slot("frontend", FrontendParams)
NORMALIZER = Slot("normalizer", NormalizerParams)
VOCODER = Slot("vocoder", VocoderParams)
CORPUS = Slot("corpus", CorpusParams)
PROFILER = Slot("profiler", ProfilerParams)
CHECKPOINTER = Slot("checkpointer", CheckpointerParams)
IMPORTER = Slot("importer", ImporterParams)
OPTIMIZER = Slot("optimizer", OptimizerParams)
SCHEDULE = Slot("schedule", ScheduleParams)
OBJECTIVE = Slot("objective", ObjectiveParams)


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
    "x": Port("hidden_dim", "(B, L, {})"),
    "memory": Port("hidden_dim", "(B, T, {})"),
    "mel": Port("mel_dim", "(B, T, {})"),
}

VECTORS = frozenset(name for name, port in PORTS.items() if port.width == "hidden_dim")
"""The ports of hidden vectors, whose width a component is built with."""

End = tuple[str, str]
"""One end of a connection: a place in the model and one of its ports."""


@dataclass(frozen=True)
class ModelSlot:
    """A part of a model, or several by name, and where its inputs come from.

    Attributes:
        slot: Its name and the base of its params.
        contract: The class that its modules derive from, as ``package.module:Class``.
        arguments: What the contract passes to it, so that no side input can have these names.
        takes: For each input the outputs that can feed it, best first; the first whose field is
            filled does, by the last of its parts that comes before.
        required: Whether a spec must have the key; one that may be left out may be null as well.
        key: The key in a spec; empty: the slot's name.
        many: Whether the key holds components by name, applied one after the other.
    """

    slot: Slot[Any]
    contract: str
    arguments: frozenset[str]
    takes: Mapping[str, tuple[End, ...]] = field(default_factory=dict)
    required: bool = True
    key: str = ""
    many: bool = False


def _by_name(*rows: ModelSlot) -> Mapping[str, ModelSlot]:
    return {row.key or row.slot.name: row for row in rows}


_ADAPTS = frozenset({"x", "padding_mask", "target", "control"})
_HIDDEN = (("token_adaptors", "x"), ("encoder", "hidden"))

MODEL_SLOTS = _by_name(
    ModelSlot(
        CONDITIONER,
        "kokoro_core.contracts:Conditioner",
        frozenset(),
        required=False,
        key="conditioners",
        many=True,
    ),
    ModelSlot(
        ENCODER,
        "kokoro_core.contracts:Encoder",
        frozenset({"phoneme_indices", "padding_mask"}),
    ),
    ModelSlot(
        ALIGNER,
        "kokoro_core.contracts:Aligner",
        frozenset({"hidden", "padding_mask", "mel_specs", "mel_padding_mask"}),
        {"hidden": (("encoder", "hidden"),)},
        required=False,
    ),
    ModelSlot(
        DURATION_PREDICTOR,
        "kokoro_core.contracts:DurationPredictor",
        frozenset({"hidden", "padding_mask", "durations"}),
        {"hidden": (("encoder", "hidden"),)},
    ),
    ModelSlot(
        ADAPTOR,
        "kokoro_core.contracts:Adaptor",
        _ADAPTS,
        {"x": _HIDDEN},
        required=False,
        key="token_adaptors",
        many=True,
    ),
    ModelSlot(
        REGULATOR,
        "kokoro_core.contracts:Regulator",
        frozenset({"hidden", "durations", "padding_mask", "num_frames"}),
        {"hidden": _HIDDEN},
    ),
    ModelSlot(
        ADAPTOR,
        "kokoro_core.contracts:Adaptor",
        _ADAPTS,
        {"x": (("frame_adaptors", "x"), ("regulator", "memory"))},
        required=False,
        key="frame_adaptors",
        many=True,
    ),
    ModelSlot(
        DECODER,
        "kokoro_core.contracts:Decoder",
        frozenset({"memory", "memory_padding_mask", "mel_specs", "mel_padding_mask"}),
        {"memory": (("frame_adaptors", "x"), ("regulator", "memory"), *_HIDDEN)},
    ),
    ModelSlot(
        POSTNET,
        "kokoro_core.contracts:Postnet",
        frozenset({"mel", "padding_mask"}),
        {"mel": (("decoder", "mel"),)},
        required=False,
    ),
)
"""The parts of a model by their key in a spec, in the order in which data flows through them."""


def slot_row(place: str) -> ModelSlot:
    """Return the row of a part's place, such as ``encoder`` or ``token_adaptors.pitch``."""
    return MODEL_SLOTS[place.partition(".")[0]]


def short_name(place: str) -> str:
    """Return what a place's losses and options are named by: its slot, or its name in the map."""
    return place.rpartition(".")[2]
