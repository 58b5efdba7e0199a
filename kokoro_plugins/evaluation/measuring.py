"""`Listener`: measures of a sentence as a system says it, beside its recording."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from kokoro_core.contracts import Utterance
from kokoro_core.measures.mel_distortion import Array, natural_log_mel, warped
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.evaluation.measures import Parts
from kokoro_plugins.evaluation.memory import Memory
from kokoro_plugins.evaluation.naturalness import Rater
from kokoro_plugins.evaluation.pitch import pitch_errors, pitch_of
from kokoro_plugins.evaluation.recognition import Recognizer
from kokoro_plugins.evaluation.rendition import Rendition
from kokoro_plugins.evaluation.timing import NEAR_MS, boundary_errors, duration_errors
from kokoro_plugins.evaluation.words import TextErrors, compare

Part = tuple[str, tuple[float, float]]


@final
class Measured:
    """A rendition and what is measured of its sound, each once however often it is compared.

    Args:
        rendition: What is heard.
        audio: Of its mels.
    """

    def __init__(self, rendition: Rendition, audio: AudioSettings) -> None:
        self.rendition, self.audio = rendition, audio

    @cached_property
    def mel(self) -> Array:
        """The natural log mel of the samples, (T, M)."""
        return natural_log_mel(self.rendition.samples.astype("float64"), self.audio)

    @cached_property
    def pitch(self) -> NDArray[np.float64]:
        """The fundamental frequency of each frame in Hz, (T,), 0 where it has no voice."""
        return pitch_of(self.rendition.samples, self.audio, len(self.mel))


@final
class Listener:
    """Listens to renditions, and to the same sound once.

    Args:
        recognizer: Writes down what it hears; None: nobody does.
        rater: Gives marks; None: nobody does.
        language: Of the texts, as `compare` takes it.
        memory: What was heard before; None: nothing.
    """

    def __init__(
        self,
        *,
        recognizer: Recognizer | None = None,
        rater: Rater | None = None,
        language: str = "en",
        memory: Memory | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._rater = rater
        self._language = language
        self._memory = memory or Memory()

    def text_errors(self, text: str, rendition: Rendition) -> TextErrors | None:
        """Return what was understood of a text; None without a recognizer."""
        if self._recognizer is None:
            return None
        who = self._recognizer.identity
        heard = self._memory.get(who, rendition)
        if heard is None:
            heard = self._recognizer.transcribe(rendition.samples, rendition.sample_rate)
            self._memory.keep(who, rendition, heard)
        return compare(text, str(heard), self._language)

    def mark(self, rendition: Rendition) -> float | None:
        """Return how natural a rendition sounds; None without a rater."""
        if self._rater is None:
            return None
        who = self._rater.identity
        mark = self._memory.get(who, rendition)
        if mark is None:
            mark = self._rater.rate(rendition.samples, rendition.sample_rate)
            self._memory.keep(who, rendition, mark)
        return float(mark)


def parts_of_text(errors: TextErrors | None) -> Iterator[Part]:
    """Yield the parts of word and character error rates."""
    if errors is not None:
        yield "wer", (errors.word_errors, errors.words)
        yield "cer", (errors.character_errors, errors.characters)


def parts_of_making(rendition: Rendition) -> Iterator[Part]:
    """Yield the parts of how a rendition was made."""
    if rendition.seconds is not None:
        yield "whole", (float(rendition.loss is None), 1)
        yield "real_time_factor", (rendition.seconds, rendition.audio_seconds)


def parts_beside(heard: Measured, utterance: Utterance, recording: Measured | None) -> Parts:
    """Return the parts of measures that compare a rendition with a recording."""
    parts: dict[str, tuple[float, float]] = {}
    rendition, audio = heard.rendition, heard.audio
    true_mel = None if recording is None else recording.rendition.mel
    if recording is not None:
        parts |= dict(_of_sound(heard, recording))
    if rendition.mel is not None and true_mel is not None:
        parts["mel_distortion"] = (warped(rendition.mel, true_mel).distortion, 1)
    true = None if utterance.durations is None else utterance.durations.tolist()
    if true is not None and rendition.durations is not None:
        frame_ms = 1000 * audio.hop_length / audio.sample_rate
        errors = duration_errors(rendition.durations, true, frame_ms)
        parts["duration_error"] = (sum(errors), len(errors))
    length = len(utterance.mel) * audio.hop_length / audio.sample_rate
    parts["length_ratio"] = (rendition.audio_seconds, length)
    return parts


def _of_sound(heard: Measured, recording: Measured) -> Iterator[Part]:
    warping = warped(heard.mel, recording.mel)
    yield "sound_distortion", (warping.distortion, 1)
    errors = pitch_errors(heard.pitch, recording.pitch, warping)
    yield "pitch_error", (errors.cents, errors.voiced)
    yield "voicing_error", (errors.wrong_voicing, errors.pairs)


def parts_of_boundaries(found: list[int], true: list[int], frame_ms: float) -> Iterator[Part]:
    """Yield the parts of the errors of boundaries."""
    errors = boundary_errors(found, true, frame_ms)
    if errors:
        yield "boundary_error", (sum(errors), len(errors))
        yield "boundaries_near", (sum(each <= NEAR_MS for each in errors), len(errors))
