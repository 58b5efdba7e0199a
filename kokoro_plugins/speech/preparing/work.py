"""The work on one utterance: settle its recording, find its phonemes, measure its mel."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import soundfile
import torch
from torch import Tensor

from kokoro_core.contracts import Frontend
from kokoro_core.durable import atomic_file
from kokoro_core.errors import CorpusError, FrontendError, FrontendWarning
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import FrontendParams
from kokoro_plugins.speech.corpus_problems import UtteranceProblem
from kokoro_plugins.speech.features import NAMES, RecordingFeatures
from kokoro_plugins.speech.preparing.aligning import Aligned, Aligner
from kokoro_plugins.speech.preparing.measures import measures_of
from kokoro_plugins.speech.preparing.moments import Moments
from kokoro_plugins.speech.preparing.prepared import Outcome, Prepared, Unfit
from kokoro_plugins.speech.preparing.settings import Align, SoundSettings
from kokoro_plugins.speech.preparing.sound import Sound, settle
from kokoro_plugins.speech.preparing.source import Source
from kokoro_plugins.speech.saved_features import write_features


@dataclass(frozen=True)
class Order:
    """All that decides what is made of a source, as it is sent to other processes.

    Attributes:
        out: The folder that is prepared.
        audio: Of the mels.
        frontend: Makes phonemes.
        sizes: Of the model, for which the frontend is built.
        sound: How recordings are settled.
        align: Where durations come from.
        features: What the model learns from beside mels, by name.
        checkpoint: Of the model that speaks for ``voice``, and its content hash.
    """

    out: Path
    audio: AudioSettings
    frontend: FrontendParams
    sizes: Sizes
    sound: SoundSettings
    align: Align
    features: tuple[str, ...]
    checkpoint: tuple[Path, str] | None = None


@final
class Workshop:
    """Prepares utterances one after the other.

    Args:
        order: What is made of each.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._mel = MelSpectrogram(audio=order.audio)
        self._frontend: Frontend = order.frontend.build(order.sizes)
        checkpoint = None if order.checkpoint is None else order.checkpoint[0]
        self._aligner = Aligner(order.align, self._frontend, self._mel, checkpoint)

    def prepare(self, source: Source) -> Outcome:
        """Write the recording of an utterance, and return what is known of it or what is wrong."""
        sound = settle(
            source.audio,
            sample_rate=self._order.audio.sample_rate,
            loudness=self._order.sound.loudness,
            silence=self._order.sound.silence,
        )
        if isinstance(sound, UtteranceProblem):
            return sound
        try:
            return self._finish(source, sound)
        except Unfit as unfit:
            return unfit.problem

    def _finish(self, source: Source, sound: Sound) -> Prepared:
        mel = self._mel_of(sound)
        symbols, notes = self._phonemes(source)
        aligned = self._aligner.align(source, sound, mel, symbols)
        if aligned.has_other_phonemes:
            message = "has other phonemes in its text than in its durations; align it again."
            notes.append(("texts that changed after alignment", message))
        if sound.rate < self._order.audio.sample_rate:
            message = (
                f"has {sound.rate:,} Hz, so that what is above {sound.rate // 2:,} is missing."
            )
            notes.append(("recordings of a lower rate than the spec's", message))
        path = self._order.out / "wavs" / f"{source.name}.wav"
        with atomic_file(path) as new:
            soundfile.write(new, sound.samples, self._order.audio.sample_rate, "PCM_16")
        return Prepared(
            name=source.name,
            text=source.text,
            speaker=source.speaker,
            language=source.language,
            symbols=aligned.symbols,
            durations=aligned.durations,
            frames=len(mel),
            num_bytes=path.stat().st_size,
            seconds=sound.seconds,
            gain=sound.gain,
            is_at_peak=sound.is_at_peak,
            mel=Moments.of(mel),
            features=self._features(path),
            measures=measures_of(self._known(aligned), sound.samples, len(mel), self._order.audio),
            notes=tuple(notes),
        )

    def _known(self, aligned: Aligned) -> Aligned:
        """Return what is known of an utterance now; even durations are but a start."""
        return replace(aligned, durations=None) if self._order.align == "viterbi" else aligned

    def _mel_of(self, sound: Sound) -> Tensor:
        """Return the mel of a recording as it will be read from its file."""
        try:
            self._mel.num_frames(len(sound.samples))
        except ValueError as error:
            raise Unfit("too short", f"has a recording that is too short: {error}") from None
        mel: Tensor = self._mel(torch.from_numpy(sound.samples.astype(np.float32) / 32768))
        return mel

    def _phonemes(self, source: Source) -> tuple[list[str], list[tuple[str, str]]]:
        """Return the phonemes of a text, and notes of what may be read wrongly."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FrontendWarning)
            try:
                symbols = self._frontend.phonemize(source.text)
                self._frontend.indices(symbols)
            except FrontendError as error:
                message = f"has a text that the frontend cannot read: {error}"
                raise Unfit("unreadable texts", message) from None
        said = [each for each in caught if issubclass(each.category, FrontendWarning)]
        return symbols, [("texts that may be read wrongly", str(each.message)) for each in said]

    def _features(self, path: Path) -> dict[str, Moments]:
        """Write what the model learns from beside mels, and return its moments."""
        wanted = [name for name in self._order.features if name in NAMES]
        values = RecordingFeatures(path, self._mel, {}, kept := dict[str, Tensor]())
        try:
            moments = {name: Moments.of(values[name]) for name in wanted}
        except CorpusError as error:
            message = str(error).removeprefix(f"`{path.stem}` ")
            raise Unfit("no voice", message) from None
        if kept:
            write_features(path, self._order.audio, kept)
        return moments
