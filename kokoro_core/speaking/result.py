"""What was spoken, and how it ended."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kokoro_core.speaking.player import play
from kokoro_core.speaking.shown import speech_html
from kokoro_core.speaking.sound_files import as_16_bit, write_sound
from kokoro_core.speaking.times import TimedWord

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SHARE = 0.8
"""Share of the planned frames below which a stop token has cut words off. A trained model ends
within a few percent of its plan; the shortest of five sentences tried is 13 % of them."""

_REMEDIES = {
    "max_mel_len": "raise `max_mel_len`, or speak the text in parts",
    "not_finite": "a frame was NaN or infinite, so the weights or the precision are at fault",
    "stop_token": "raise `stop_threshold`, or train the model for longer",
}


class Speech:
    """Samples that can be written to a file and heard.

    Attributes:
        samples: (S,) float32 in [-1, 1].
        sample_rate: Samples per second.
    """

    samples: Tensor
    sample_rate: int

    @property
    def audio_seconds(self) -> float:
        """The length of the speech."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the speech as a mono file.

        Args:
            path: Its suffix is the format: ``.wav``, or ``.flac``, ``.ogg`` or ``.mp3`` with
                soundfile, which the extra ``speech`` brings.

        Raises:
            ValueError: The suffix is of no format.
            ModuleNotFoundError: The format needs soundfile, which is not installed.
        """
        write_sound(Path(path), self.samples, self.sample_rate)

    def play(self) -> None:
        """Play the speech on this machine, and wait until it is over.

        Raises:
            RuntimeError: No program that plays sound is installed, or it fails.
        """
        play(self.samples, self.sample_rate)


@dataclass(frozen=True)
class SpokenSentence(Speech):
    """One sentence, synthesized by itself.

    Attributes:
        text: As it is written, without the blanks around it.
        samples: (S,) float32 in [-1, 1].
        sample_rate: Samples per second.
        pause: Seconds of silence after it, if another one follows.
        frames: Generated mel frames.
        planned_frames: Sum of the durations; None without a plan.
        stop_reason: Why generation ended.
        unspoken: The text from the first word on that was not spoken completely; empty if nothing
            is missing, or if that is unknown.
        notes: The frontend's warnings about its reading of the text.
        words: What is heard when, from the start of the sentence; empty without a plan.
        mel: (T, M) float32, the log mel as the model made it; None of a decoder that gives a
            waveform.
    """

    text: str
    samples: Tensor
    sample_rate: int
    pause: float
    frames: int
    planned_frames: int | None
    stop_reason: str
    unspoken: str
    notes: tuple[str, ...]
    words: tuple[TimedWord, ...]
    mel: Tensor | None = None

    @property
    def pause_samples(self) -> int:
        """The length of the silence after it."""
        return round(self.pause * self.sample_rate)

    @property
    def is_complete(self) -> bool:
        """Whether all of the sentence may have been spoken."""
        return ended_well(self.stop_reason, self.frames, self.planned_frames)

    def _repr_html_(self) -> str:
        shown = [(self.text, self.mel)]
        return speech_html(self.samples, self.sample_rate, shown, self.notes)


@dataclass(frozen=True)
class SynthesisResult(Speech):
    """Synthesized speech, and how its generation ended.

    Attributes:
        samples: (S,) float32 in [-1, 1], with silence between sentences.
        sample_rate: Samples per second.
        frames: Generated mel frames.
        planned_frames: Sum of the durations; None without a plan.
        stop_reason: Why generation ended; of several sentences that of the first that is not
            complete, or else of the last.
        unspoken: The text from the first word on that was not spoken completely; empty if nothing
            is missing, or if that is unknown.
        notes: The frontend's warnings about its reading of the text.
        sentences: What was spoken one after the other.
    """

    samples: Tensor
    sample_rate: int
    frames: int
    planned_frames: int | None
    stop_reason: str
    unspoken: str
    notes: tuple[str, ...]
    sentences: tuple[SpokenSentence, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all of the text may have been spoken."""
        if self.sentences:
            return all(each.is_complete for each in self.sentences)
        return ended_well(self.stop_reason, self.frames, self.planned_frames)

    @property
    def loss(self) -> str | None:
        """A sentence about what was not spoken; None if nothing is missing."""
        if self.is_complete:
            return None
        cut = [each for each in self.sentences if not each.is_complete]
        count, told = len(self.sentences), cut[0] if cut else self
        are = "is" if len(cut) == 1 else "are"
        where = (
            f"{len(cut)} of {count} sentences {are} not whole; of the first " if count > 1 else ""
        )
        missing = f"; not spoken: {_shortened(self.unspoken)!r}" if self.unspoken else ""
        remedy = _REMEDIES.get(told.stop_reason, "allow more")
        return (
            f"{where}{cut_short(told.stop_reason, told.frames, told.planned_frames)}"
            f"{missing}; {remedy}."
        )

    @property
    def words(self) -> tuple[TimedWord, ...]:
        """What is heard when, from the start; empty without a plan."""
        return tuple(
            word.later(start)
            for start, sentence in zip(self.starts, self.sentences, strict=True)
            for word in sentence.words
        )

    @property
    def starts(self) -> tuple[float, ...]:
        """When each sentence begins, in seconds."""
        lengths = [len(each.samples) + each.pause_samples for each in self.sentences[:-1]]
        return tuple(
            start / self.sample_rate for start in itertools.accumulate(lengths, initial=0)
        )[: len(self.sentences)]

    def _repr_html_(self) -> str:
        shown = [(each.text, each.mel) for each in self.sentences]
        said = self.notes if self.loss is None else (self.loss, *self.notes)
        return speech_html(self.samples, self.sample_rate, shown, said)


def joined(sentences: Sequence[SpokenSentence]) -> SynthesisResult:
    """Return sentences as one result, with silence between them."""
    import torch

    first_cut = next((each for each in sentences if not each.is_complete), sentences[-1])
    planned = [each.planned_frames for each in sentences if each.planned_frames is not None]
    return SynthesisResult(
        torch.cat(list(_with_pauses(sentences))),
        sentences[0].sample_rate,
        sum(each.frames for each in sentences),
        sum(planned) if len(planned) == len(sentences) else None,
        first_cut.stop_reason,
        " … ".join(each.unspoken for each in sentences if each.unspoken),
        tuple(dict.fromkeys(note for each in sentences for note in each.notes)),
        tuple(sentences),
    )


def _with_pauses(sentences: Sequence[SpokenSentence]) -> Iterator[Tensor]:
    for number, each in enumerate(sentences, start=1):
        yield each.samples
        if number < len(sentences):
            yield each.samples.new_zeros(each.pause_samples)


def raw_chunks(sentences: Iterable[SpokenSentence]) -> Iterator[tuple[SpokenSentence, bytes]]:
    """Yield each sentence with its samples as bytes, silence before all but the first."""
    pause = 0
    for each in sentences:
        yield each, bytes(2 * pause) + as_16_bit(each.samples)
        pause = each.pause_samples


def cut_short(reason: str, frames: int, planned: int | None) -> str:
    """Return in words how far a row came that did not end well."""
    of = "" if planned is None else f" of {planned} planned"
    return f"only {frames}{of} frames were spoken, ended by {reason}"


def ended_well(reason: str, frames: int, planned: int | None) -> bool:
    """Return whether a row that ended so may have been spoken whole."""
    if reason == "stop_token":
        return planned is None or frames >= LEAST_SHARE * planned
    return reason in ("planned_length", "complete")


def _shortened(text: str, at_most: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= at_most else f"{flat[:at_most].rstrip()} …"
