"""The contracts of frontends, vocoders and corpora."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kokoro_core.contracts.corpus_facts import CorpusFacts
from kokoro_core.errors import AudioMismatch, FrontendError
from kokoro_core.params.audio import AudioSettings

if TYPE_CHECKING:
    from torch import Tensor


class Frontend(ABC):
    """Turns text into phoneme indices.

    Attributes:
        symbols: The symbol of each index; the symbol at the padding index stands for padding.
        marks: Symbols without a sound of their own, such as stress marks.
    """

    symbols: tuple[str, ...]
    marks: frozenset[str] = frozenset()

    @abstractmethod
    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: The text contains nothing to speak, or something without a symbol.
        """

    def encode(self, text: str) -> list[int]:
        """Return the phoneme indices of a text.

        Raises:
            FrontendError: The text contains nothing to speak, or something without a symbol.
        """
        return self.indices(self.phonemize(text))

    def normalize(self, text: str) -> str:
        """Return the text in words, as far as the frontend writes it so before it reads it."""
        return text

    def sentences(self, text: str) -> list[str]:
        """Return what is spoken at once, in order, with the blanks between; together the text."""
        return [text]

    def positions(self, text: str) -> list[int] | None:
        """Return the offset in the text of each symbol's word, or None if unknown.

        Offsets count characters of the text in composed form (NFC).
        """
        return None

    def indices(self, symbols: Sequence[str]) -> list[int]:
        """Return the index of each symbol.

        Raises:
            FrontendError: Symbols are not in `symbols`; the error names all of them.
        """
        index_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        unknown = sorted({each for each in symbols if each not in index_of})
        if unknown:
            raise FrontendError(
                f"`{type(self).__name__}` has no index for {', '.join(map(repr, unknown))}; "
                f"its {len(self.symbols)} symbols are listed in `symbols`."
            )
        return [index_of[each] for each in symbols]


class Normalizer(ABC):
    """Writes a text as it is read: numbers, abbreviations and signs become words."""

    @abstractmethod
    def normalize(self, text: str) -> str:
        """Return the text in words; what it does not know stays as it is written."""


class Vocoder(ABC):
    """Turns log mels into waveforms.

    Attributes:
        audio: The settings of the mels that it accepts.
    """

    audio: AudioSettings

    @abstractmethod
    def decode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the waveforms, 0 after each row's ``lengths * hop_length`` samples.

        Frames after a row's length are treated as silence, whatever they contain.

        Shape:
            mel: (B, T, M), the log mel as `audio` defines it, not normalised. lengths: (B,) int64.
            Returns: (B, T * hop_length) float32 in [-1, 1].
        """

    def check_mel(self, mel: Tensor, lengths: Tensor) -> None:
        """Reject what is no batch of log mels.

        Shape:
            mel: (B, T, M). lengths: (B,) int64.

        Raises:
            ValueError: The shapes do not fit, a length is outside 1 … T, or a row has a NaN or an
                infinity.
        """
        if mel.dim() != 3 or mel.shape[2] != self.audio.n_mels:
            raise ValueError(
                f"`mel` must be (B, T, {self.audio.n_mels}), not {tuple(mel.shape)}; "
                f"the vocoder's `n_mels` is {self.audio.n_mels}."
            )
        if lengths.shape != mel.shape[:1]:
            raise ValueError(
                f"`lengths` must have one number for each of the {mel.shape[0]} rows of `mel`, "
                f"not the shape {tuple(lengths.shape)}."
            )
        for row, length in enumerate(lengths.tolist()):
            if not 1 <= length <= mel.shape[1]:
                raise ValueError(
                    f"`lengths` must lie within 1 and the {mel.shape[1]} frames of `mel`, but row "
                    f"{row} has {length}."
                )
            if not mel[row, :length].isfinite().all():
                raise ValueError(f"`mel` has a NaN or an infinity in row {row}; a mel is finite.")

    def check_audio(self, audio: AudioSettings) -> None:
        """Reject mels computed with other settings.

        Raises:
            AudioMismatch: A setting that the waveform depends on differs.
        """
        differences = self.audio.differences(audio)
        if differences:
            raise AudioMismatch(
                f"`{type(self).__name__}` was made for other mels than these: "
                f"{'; '.join(differences)} (vocoder against mel)."
            )


@dataclass(frozen=True)
class Utterance:
    """One utterance, aligned or not.

    Attributes:
        name: Unique in its corpus.
        text: The transcript.
        phoneme_indices: (N,) int64.
        durations: (N,) int64 frames, whose sum is T; None where nobody has aligned it, so that only
            a model with an aligner can learn from it.
        mel: (T, M) float32, the log mel, not normalised.
        audio_path: The recording's file, if there is one.
        features: What else is known, by name: a value a row (a number, or a speaker's name), or a
            float32 tensor with one value a phoneme or a frame. A mapping may make them when they
            are asked for.
    """

    name: str
    text: str
    phoneme_indices: Tensor
    durations: Tensor | None
    mel: Tensor
    audio_path: Path | None = None
    features: Mapping[str, Any] = field(default_factory=dict)


class Corpus(ABC):
    """Utterances in a fixed order.

    Attributes:
        held_out: How many, the last ones, the corpus sets aside to measure a model by; None: it
            does not say, and training chooses.
    """

    held_out: int | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of utterances."""

    @abstractmethod
    def __getitem__(self, index: int) -> Utterance:
        """Return one utterance."""

    def durations_of(self, index: int) -> Tensor | None:
        """Return the durations of one utterance, (N,) int64; their sum is the length of its mel.

        For callers that need only lengths. A corpus that knows durations without computing the mel
        overrides it.
        """
        return self[index].durations

    def facts(self) -> CorpusFacts | None:
        """Return what is known of all utterances without reading one; None: nothing is.

        With it training begins without a look at every utterance, which a corpus that does not fit
        into memory needs. What is said must be what reading would show.
        """
        return None

    def __iter__(self) -> Iterator[Utterance]:
        return (self[index] for index in range(len(self)))
