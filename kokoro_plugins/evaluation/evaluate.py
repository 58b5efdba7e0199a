"""`evaluate`: a model beside the recordings, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend, Utterance
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.evaluation.aligning import aligned_durations
from kokoro_plugins.evaluation.measures import MEASURES, Parts, value_of
from kokoro_plugins.evaluation.measuring import (
    Listener,
    Measured,
    parts_beside,
    parts_of_boundaries,
    parts_of_making,
    parts_of_text,
)
from kokoro_plugins.evaluation.rendition import Rendition
from kokoro_plugins.evaluation.sentences import Sentence, check_names
from kokoro_plugins.evaluation.settings import USUAL, Beside
from kokoro_plugins.evaluation.speaker import Speaker
from kokoro_plugins.evaluation.words import TextErrors

SYSTEMS: Mapping[str, str] = {
    "recordings": "recordings",
    "true_mels": "true mels, vocoder",
    "true_durations": "model, true durations",
    "model": "model",
    "texts": "model, texts",
    "aligner": "aligner",
}
"""All that sentences are said by, and how tables call it."""


@dataclass(frozen=True)
class Outcome:
    """What one system made of one sentence.

    Attributes:
        rendition: What is heard.
        errors: What was understood; None: nobody listened.
        mark: How natural it sounds; None: nobody said.
        parts: What it adds to each measure.
    """

    rendition: Rendition
    errors: TextErrors | None
    mark: float | None
    parts: Parts


@dataclass(frozen=True)
class Evaluation:
    """A model beside the recordings.

    Attributes:
        name: Of the model.
        audio: Of its spec.
        sentences: All that were spoken.
        outcomes: For each system what it made of each sentence, by name.
    """

    name: str
    audio: AudioSettings
    sentences: tuple[Sentence, ...]
    outcomes: Mapping[str, Mapping[str, Outcome]]

    def value(self, system: str, measure: str) -> float | None:
        """Return the value of a measure; None: the system does not have it."""
        return value_of(measure, (each.parts for each in self.outcomes[system].values()))

    def values(self, system: str) -> dict[str, float]:
        """Return the measures of a system by name, as far as it has them."""
        found = {each.name: self.value(system, each.name) for each in MEASURES}
        return {name: value for name, value in found.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the sound as values that JSON has."""
        return {
            "name": self.name,
            "systems": {system: self.values(system) for system in self.outcomes},
            "sentences": [
                {
                    "name": sentence.name,
                    "text": sentence.text,
                    "systems": {
                        system: _as_dict(outcomes[sentence.name])
                        for system, outcomes in self.outcomes.items()
                        if sentence.name in outcomes
                    },
                }
                for sentence in self.sentences
            ],
        }


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    heard = {} if outcome.errors is None else {"heard": outcome.errors.heard}
    values = {name: value_of(name, [outcome.parts]) for name in outcome.parts}
    loss = {} if outcome.rendition.loss is None else {"loss": outcome.rendition.loss}
    return {**heard, **loss, **{name: each for name, each in values.items() if each is not None}}


def evaluate(
    model: KokoroModel,
    sentences: Sequence[Sentence],
    *,
    frontend: Frontend | None = None,
    listener: Listener | None = None,
    beside: Sequence[Beside] = USUAL,
    seed: int = 0,
    given: Mapping[str, Any] | None = None,
    name: str = "model",
    progress: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Let a model speak sentences with its own durations and its vocoder, and measure it.

    Args:
        model: Its spec has audio, a frontend, and a vocoder unless the decoder gives waves.
        sentences: Those that were recorded are spoken from the phonemes of their corpus, others
            from their text.
        frontend: Of the spec, if it is built already.
        listener: Has a recognizer, or a rater; None: nobody listens.
        beside: What the model is measured beside.
        seed: Of what the model draws.
        given: What it is given for texts, as `kokoro_core.speech.speak` takes it.
        name: What the model is called.
        progress: Called after each sentence.

    Raises:
        ValueError: The model cannot speak, or two sentences have one name.
        CorpusError: The corpus lacks a feature that the model speaks with.
        FrontendError: A text cannot be read.
    """
    check_names(sentences)
    if frontend is None:
        if model.spec.frontend is None:
            raise ValueError(f"`{model.spec.name}` has no `frontend`, so it cannot read.")
        frontend = model.spec.frontend.build(model.spec.sizes)
    speaker = Speaker(model, frontend, seed=seed, given=given)
    listener = listener or Listener()
    outcomes: dict[str, dict[str, Outcome]] = {}
    for sentence in sentences:
        for system, outcome in _outcomes(model, speaker, listener, sentence, beside):
            outcomes.setdefault(system, {})[sentence.name] = outcome
        progress()
    ordered = {system: outcomes[system] for system in SYSTEMS if system in outcomes}
    return Evaluation(name, speaker.audio, tuple(sentences), ordered)


def _outcomes(
    model: KokoroModel,
    speaker: Speaker,
    listener: Listener,
    sentence: Sentence,
    beside: Sequence[Beside],
) -> Iterator[tuple[str, Outcome]]:
    """Yield what each system makes of a sentence."""
    utterance = sentence.utterance
    if utterance is None:
        yield "texts", _heard(listener, sentence, speaker.read(sentence.text), {})
        return
    recording = speaker.recording(utterance)
    true = None if recording is None else Measured(recording, speaker.audio)
    for system, rendition in _renditions(speaker, utterance, recording, beside):
        heard = true if true and rendition is recording else Measured(rendition, speaker.audio)
        parts = parts_beside(heard, utterance, true)
        yield system, _heard(listener, sentence, rendition, parts)
    if "aligner" in beside and utterance.durations is not None:
        found = aligned_durations(model, utterance)
        if found is not None:
            yield "aligner", _aligned(speaker, utterance, recording, found)


def _renditions(
    speaker: Speaker,
    utterance: Utterance,
    recording: Rendition | None,
    beside: Sequence[Beside],
) -> Iterator[tuple[str, Rendition]]:
    vocoded = speaker.vocoded(utterance) if "true_mels" in beside else None
    if recording is not None and "recordings" in beside:
        yield "recordings", recording
    if vocoded is not None:
        yield "true_mels", vocoded
    if "true_durations" in beside and utterance.durations is not None:
        yield "true_durations", speaker.speak(utterance, true_durations=True)
    yield "model", speaker.speak(utterance)


def _heard(listener: Listener, sentence: Sentence, rendition: Rendition, parts: Parts) -> Outcome:
    errors, mark = listener.text_errors(sentence.text, rendition), listener.mark(rendition)
    marked = {} if mark is None else {"mos": (mark, 1.0)}
    all_parts = {
        **parts,
        **dict(parts_of_text(errors)),
        **marked,
        **dict(parts_of_making(rendition)),
    }
    return Outcome(rendition, errors, mark, all_parts)


def _aligned(
    speaker: Speaker, utterance: Utterance, recording: Rendition | None, found: list[int]
) -> Outcome:
    assert utterance.durations is not None
    frame_ms = 1000 * speaker.audio.hop_length / speaker.audio.sample_rate
    parts = dict(parts_of_boundaries(found, utterance.durations.tolist(), frame_ms))
    silent = Rendition(np.zeros(0, dtype=np.float32), speaker.audio.sample_rate)
    rendition = replace(
        recording or silent,
        durations=tuple(found),
        phonemes=speaker.phonemes(utterance.phoneme_indices, found),
    )
    return Outcome(rendition, None, None, parts)
