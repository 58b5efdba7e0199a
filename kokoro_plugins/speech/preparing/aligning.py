"""The frames of each phoneme of an utterance, from wherever they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from torch import Tensor

from kokoro_core.contracts import Frontend
from kokoro_core.errors import FrontendError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.speech.alignment import frames_of
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.preparing.espeak_alignment import EspeakAligner
from kokoro_plugins.speech.preparing.prepared import Unfit
from kokoro_plugins.speech.preparing.rounding import frames_of_ends
from kokoro_plugins.speech.preparing.settings import Align
from kokoro_plugins.speech.preparing.sound import Sound
from kokoro_plugins.speech.preparing.source import GivenAlignment, Source
from kokoro_plugins.speech.preparing.textgrids import read_words
from kokoro_plugins.speech.preparing.viterbi_training import check_room, even_durations
from kokoro_plugins.speech.preparing.voice_alignment import VoiceAligner
from kokoro_plugins.speech.preparing.word_alignment import OtherText, segments_of

FAR_END = 0.1
"""Seconds by which the end of an alignment may miss that of its recording."""


@dataclass(frozen=True)
class Aligned:
    """Phonemes and their frames.

    Attributes:
        symbols: The phonemes.
        durations: The mel frames of each; None where a model is to learn them.
        distance: How far the recording is from what was warped onto it, if anything was.
        has_other_phonemes: Whether the text has others than the alignment that was given.
    """

    symbols: tuple[str, ...]
    durations: tuple[int, ...] | None = None
    distance: float | None = None
    has_other_phonemes: bool = False


@final
class Aligner:
    """Finds the frames of phonemes in one way.

    Args:
        align: The way, which is not ``auto``.
        frontend: Makes phonemes.
        mel: Of the recordings.
        checkpoint: Of the model that speaks the phonemes, for ``voice``.
    """

    def __init__(
        self,
        align: Align,
        frontend: Frontend,
        mel: MelSpectrogram,
        checkpoint: Path | None = None,
    ) -> None:
        self._align = align
        self._frontend = frontend
        self._mel = mel
        if align == "espeak":
            assert isinstance(frontend, EspeakFrontend)
            self._espeak = EspeakAligner(frontend, mel)
        if align == "voice":
            assert checkpoint is not None
            self._voice = VoiceAligner(checkpoint, frontend, mel.audio)

    def align(self, source: Source, sound: Sound, mel: Tensor, symbols: Sequence[str]) -> Aligned:
        """Return the phonemes of an utterance with their frames.

        Args:
            source: The utterance.
            sound: Its recording.
            mel: Of the recording, (T, M).
            symbols: The phonemes of its text.

        Raises:
            Unfit: The alignment does not fit the utterance.
        """
        if self._align == "table":
            return self._given(source, sound, len(mel), symbols)
        if len(symbols) > len(mel):
            raise Unfit(
                "more phonemes than frames",
                f"has {len(symbols)} phonemes but only {len(mel)} frames; its text and its "
                f"recording do not belong together.",
            )
        if self._align == "textgrid":
            return self._from_textgrid(source, sound, len(mel), symbols)
        if self._align == "espeak":
            durations, far = self._espeak.align(source.text, mel, len(sound.samples))
            return Aligned(tuple(symbols), durations, far)
        if self._align == "voice":
            names = {"speaker": source.speaker, "language": source.language}
            return Aligned(tuple(symbols), *self._voice.align(symbols, mel, **names))
        if self._align == "viterbi":
            check_room(symbols, self._frontend.marks, len(mel))
            even = even_durations(symbols, self._frontend.marks, len(mel))
            return Aligned(tuple(symbols), even)
        return Aligned(tuple(symbols))

    def _given(self, source: Source, sound: Sound, frames: int, symbols: Sequence[str]) -> Aligned:
        given = source.alignment
        if given is None:
            raise Unfit("no durations", "has no line in the table of durations.")
        check_end(given, sound)
        try:
            self._frontend.indices(given.symbols)
        except FrontendError as error:
            message = f"has symbols that the frontend does not know: {error}"
            raise Unfit("unknown symbols", message) from None
        durations = frames_of_ends(given.ends, sound.start, frames, self._mel.audio)
        differs = list(given.symbols) != list(symbols)
        return Aligned(given.symbols, durations, has_other_phonemes=differs)

    def _from_textgrid(
        self, source: Source, sound: Sound, frames: int, symbols: Sequence[str]
    ) -> Aligned:
        if source.textgrid is None:
            raise Unfit("no TextGrid", f"has no {source.audio.stem}.TextGrid.")
        rate, hop = self._mel.audio.sample_rate, self._mel.audio.hop_length
        positions = self._frontend.positions(source.text)
        try:
            words = read_words(source.textgrid)
            parts = segments_of(words, source.text, symbols, positions, rate)
        except OtherText as error:
            message = f"has another text than its TextGrid: {error}; align it again."
            raise Unfit("texts that changed after alignment", message) from None
        except ValueError as error:
            raise Unfit("unusable TextGrids", f"has a TextGrid of no use: {error}.") from None
        first, last = round(sound.start * rate), len(sound.samples)
        moved = [replace(each, start=min(max(each.start - first, 0), last)) for each in parts]
        return Aligned(tuple(symbols), tuple(frames_of(moved, last, hop, frames)))


def check_end(given: GivenAlignment, sound: Sound) -> None:
    """Refuse an alignment of another length than the recording.

    Raises:
        Unfit: They differ by more than `FAR_END`.
    """
    if abs(given.ends[-1] - sound.seconds) > FAR_END:
        raise Unfit(
            "durations of another length",
            f"has durations of {given.ends[-1]:.2f} s, but its recording lasts "
            f"{sound.seconds:.2f} s.",
        )
