"""What the parts around a model promise: frontend, vocoder, corpus, profiler, checkpointer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kokoro_core.spec.audio import AudioSettings

if TYPE_CHECKING:
    from torch import Tensor, nn


class FrontendError(ValueError):
    """The text cannot be turned into phonemes; the message names what stands in the way."""


class FrontendWarning(UserWarning):
    """A text can be spoken, but surely not as its writer reads it; the message says what."""


class AudioMismatch(ValueError):
    """A mel and a vocoder were made with different audio settings; the message lists them."""


class CorpusError(ValueError):
    """Data is missing or does not fit together; the message lists every problem."""


class CheckpointError(ValueError):
    """A file is not a checkpoint, or not one of this model; the message says which."""


class Frontend(ABC):
    """Turns text into phoneme indices.

    Attributes:
        symbols: The symbol of each index; the symbol at the padding index stands for padding.
    """

    symbols: tuple[str, ...]

    @abstractmethod
    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: The text has nothing to speak, or something that has no symbol.
        """

    def encode(self, text: str) -> list[int]:
        """Return the phoneme indices of a text.

        Raises:
            FrontendError: The text has nothing to speak, or something that has no symbol.
        """
        return self.indices(self.phonemize(text))

    def positions(self, text: str) -> list[int] | None:
        """Return where in the text the word of each symbol of `phonemize` begins; None: not known.

        Places are counted in the text in composed form (NFC).
        """
        return None

    def indices(self, symbols: Sequence[str]) -> list[int]:
        """Return the index of each symbol.

        Raises:
            FrontendError: A symbol is not in `symbols`; the error names all such.
        """
        index_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        unknown = sorted({each for each in symbols if each not in index_of})
        if unknown:
            raise FrontendError(
                f"`{type(self).__name__}` has no index for {', '.join(map(repr, unknown))}; "
                f"its {len(self.symbols)} symbols are listed in `symbols`."
            )
        return [index_of[each] for each in symbols]


class Vocoder(ABC):
    """Turns log mels into waveforms.

    Attributes:
        audio: The settings of the mels that it understands.
    """

    audio: AudioSettings

    @abstractmethod
    def decode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the waveforms, 0 after each row's ``lengths * hop_length`` samples.

        Frames after a row's length are taken as silence, whatever they hold.

        Shape:
            mel: (B, T, M), the log mel as `audio` defines it, not normalised. lengths: (B,) int64.
            Returns: (B, T * hop_length) float32 in [-1, 1].
        """

    def check_audio(self, audio: AudioSettings) -> None:
        """Refuse mels that were made with other settings.

        Raises:
            AudioMismatch: A setting differs that the waveform depends on.
        """
        differences = self.audio.differences(audio)
        if differences:
            raise AudioMismatch(
                f"`{type(self).__name__}` was made for other mels than these: "
                f"{'; '.join(differences)} (vocoder against mel)."
            )


@dataclass(frozen=True)
class Utterance:
    """One aligned utterance.

    Attributes:
        name: Unique in its corpus.
        text: What is said.
        phoneme_indices: (N,) int64.
        durations: (N,) int64 frames, which sum to T.
        mel: (T, M) float32, the log mel, not normalised.
        audio_path: The recording, if there is a file of it.
    """

    name: str
    text: str
    phoneme_indices: Tensor
    durations: Tensor
    mel: Tensor
    audio_path: Path | None = None


class Corpus(ABC):
    """Aligned utterances in a fixed order."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of utterances."""

    @abstractmethod
    def __getitem__(self, index: int) -> Utterance:
        """Return one utterance."""

    def durations_of(self, index: int) -> Tensor:
        """Return the durations of one utterance, (N,) int64; their sum is the length of its mel.

        For those who need lengths alone. A corpus that knows them without making the mel says so
        here.
        """
        return self[index].durations

    def __iter__(self) -> Iterator[Utterance]:
        return (self[index] for index in range(len(self)))


class Profiler(ABC):
    """Measures a model from outside: attaches to it and takes itself off again."""

    @abstractmethod
    def attach(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Watch a model within a ``with`` block and leave it as it was."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """Return what was measured, as values that JSON has."""

    @abstractmethod
    def table(self) -> str:
        """Return what was measured, as a table for a terminal."""

    @abstractmethod
    def export_trace(self, path: Path) -> None:
        """Write what was measured in the Chrome trace format.

        Raises:
            RuntimeError: Nothing was recorded.
        """


@dataclass(frozen=True)
class TensorInfo:
    """What a checkpoint says of a tensor before it is read.

    Attributes:
        dtype: torch's name of the type: ``float32``.
        shape: The sizes.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class OpenCheckpoint(ABC):
    """A checkpoint that is open: what it says of itself at once, its tensors when asked.

    Attributes:
        metadata: What was saved beside the tensors.
        layout: Type and shape of each tensor, by name.
        content_hash: What the checkpoint states of its content; None: it is too old to state any.
    """

    metadata: dict[str, Any]
    layout: Mapping[str, TensorInfo]
    content_hash: str | None

    @abstractmethod
    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors, each in memory of its own.

        Args:
            device: Where they go; no more than one at a time exists twice.
            names: Those that are wanted; None: all.
            verify: Compare the content with the hash, if the checkpoint states one; False: nothing
                but what is wanted is read.

        Raises:
            CheckpointError: The content is not what was saved.
        """

    @contextmanager
    def reading(self, device: str = "cpu", *, verify: bool = True) -> Iterator[dict[str, Tensor]]:
        """Give what `read` returns for a ``with`` block at whose end the content is verified.

        A checkpoint may compute the hash while the block runs, so nothing that was made of the
        tensors may be handed on before its end. Here all is verified before the block begins.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        yield self.read(device, verify=verify)

    @abstractmethod
    def verify(self) -> None:
        """Read everything and keep nothing.

        Raises:
            CheckpointError: The content is not what was saved, or the checkpoint states no hash.
        """


class Checkpointer(ABC):
    """Writes tensors and their metadata to a file, or several, and reads them back, exactly."""

    @abstractmethod
    def save(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, Any],
        *,
        max_shard_bytes: int | None = None,
    ) -> None:
        """Write a checkpoint whole or not at all.

        Args:
            path: One of the checkpointer's suffixes ends it.
            tensors: Dense, none in the memory of another.
            metadata: Values that JSON has.
            max_shard_bytes: Tensors of more bytes than this are split over several files beside
                the path; None: one file, however large.

        Raises:
            CheckpointError: Something cannot be stored exactly, or the disk refuses.
        """

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse tensors that `save` would refuse, without writing; no value is looked at.

        It is asked before a training begins, so that nothing is trained that cannot be saved. A
        format that cannot store every tensor overrides it.

        Raises:
            CheckpointError: Something cannot be stored exactly.
        """
        for name, tensor in tensors.items():
            if tensor.is_meta:
                raise CheckpointError(
                    f"`{name}` is on the meta device and has no data to save; give it weights "
                    f"first."
                )

    @abstractmethod
    def open(self, path: Path) -> AbstractContextManager[OpenCheckpoint]:
        """Open a checkpoint and check what it says of itself; no tensor is read.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """

    def read_metadata(self, path: Path) -> dict[str, Any]:
        """Return the metadata without reading a tensor.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """
        with self.open(path) as found:
            return found.metadata

    def load(self, path: Path, device: str = "cpu") -> dict[str, Tensor]:
        """Return the tensors, verified.

        Raises:
            CheckpointError: The file is missing, is not a checkpoint, or is damaged.
        """
        with self.open(path) as found:
            return found.read(device)
