"""The contracts of frontends, vocoders and corpora."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kokoro_core.errors import AudioMismatch, FrontendError
from kokoro_core.params.audio import AudioSettings

if TYPE_CHECKING:
    from torch import Tensor


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
            FrontendError: The text contains nothing to speak, or something without a symbol.
        """

    def encode(self, text: str) -> list[int]:
        """Return the phoneme indices of a text.

        Raises:
            FrontendError: The text contains nothing to speak, or something without a symbol.
        """
        return self.indices(self.phonemize(text))

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
    """One aligned utterance.

    Attributes:
        name: Unique in its corpus.
        text: The transcript.
        phoneme_indices: (N,) int64.
        durations: (N,) int64 frames; their sum is T.
        mel: (T, M) float32, the log mel, not normalised.
        audio_path: The recording's file, if there is one.
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

        For callers that need only lengths. A corpus that knows durations without computing the mel
        overrides it.
        """
        return self[index].durations

    def __iter__(self) -> Iterator[Utterance]:
        return (self[index] for index in range(len(self)))
