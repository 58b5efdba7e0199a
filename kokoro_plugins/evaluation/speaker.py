"""`Speaker`: a model with its vocoder, and all ways in which it can say a sentence."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend, Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.generation import Generation
from kokoro_core.measures.mel_distortion import natural_mels
from kokoro_core.params.audio import AudioSettings
from kokoro_core.speaking.result import cut_short, ended_well, joined
from kokoro_core.speaking.times import TimedPhoneme
from kokoro_core.speaking.vocoding import samples_of
from kokoro_core.spec.rules.waves import gives_wave
from kokoro_core.speech import TextToSpeech
from kokoro_plugins.evaluation.rendition import Rendition
from kokoro_plugins.evaluation.sound import Samples, read_recording

LONGEST = 3
"""No sentence may become longer than this multiple of its recording."""


@final
class Speaker:
    """A model with its vocoder, and all ways in which it can say a sentence.

    Args:
        model: Its spec has audio, a frontend, and a vocoder unless the decoder gives waves.
        frontend: Of the spec.
        seed: Of what the model draws.
        given: What it is given for texts, as `speak` takes it: a speaker, options of its parts.

    Attributes:
        audio: Of the spec.
        has_vocoder: Whether the sound is made of a mel.

    Raises:
        ValueError: The spec lacks something of that.
    """

    def __init__(
        self,
        model: KokoroModel,
        frontend: Frontend,
        *,
        seed: int = 0,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        if model.spec.audio is None:
            raise ValueError(f"`{model.spec.name}` has no `audio`, so it cannot be heard.")
        self.audio: AudioSettings = model.spec.audio
        self.has_vocoder = not gives_wave(model.spec.decoder)
        _check_vocoder(model)
        self._to_samples = samples_of(model)
        self._model = model.eval()
        self._symbols = frontend.symbols
        self._seed = seed
        self._given = dict(given or {})

    def recording(self, utterance: Utterance) -> Rendition | None:
        """Return the recording of an utterance; None: it has no file."""
        if utterance.audio_path is None:
            return None
        rate = self.audio.sample_rate
        durations = None if utterance.durations is None else utterance.durations.tolist()
        return Rendition(
            samples=read_recording(utterance.audio_path, rate),
            sample_rate=rate,
            mel=self._natural(_normalised(utterance.mel, self.audio)),
            durations=None if durations is None else tuple(durations),
            phonemes=self.phonemes(utterance.phoneme_indices, durations),
        )

    def vocoded(self, utterance: Utterance) -> Rendition | None:
        """Return the true mel of an utterance through the vocoder; None: there is no vocoder."""
        if not self.has_vocoder:
            return None
        mel, lengths = _normalised(utterance.mel, self.audio), torch.tensor([len(utterance.mel)])
        started = time.perf_counter()
        samples = self._samples(Generation(mel.unsqueeze(0), lengths, None, ["complete"]))
        seconds = time.perf_counter() - started
        return Rendition(
            samples=samples,
            sample_rate=self.audio.sample_rate,
            mel=self._natural(mel),
            seconds=seconds,
        )

    def speak(self, utterance: Utterance, *, true_durations: bool = False) -> Rendition:
        """Return the phonemes of an utterance as the model says them.

        Args:
            utterance: Of the corpus that the model was trained on, or of one like it.
            true_durations: Give it the utterance's durations; without, it has its own.

        Raises:
            CorpusError: The corpus does not have a feature that the model speaks with.
        """
        durations = utterance.durations if true_durations else None
        features = self._features(utterance)
        started = time.perf_counter()
        spoken = self._model.generate(
            utterance.phoneme_indices.unsqueeze(0),
            durations=None if durations is None else durations.unsqueeze(0),
            max_mel_len=LONGEST * len(utterance.mel),
            seed=self._seed,
            **features,
            **{name: self._given[name] for name in ("options",) if name in self._given},
        )
        samples = self._samples(spoken)
        seconds = time.perf_counter() - started
        planned = None if spoken.durations is None else spoken.durations[0].tolist()
        return Rendition(
            samples=samples,
            sample_rate=self.audio.sample_rate,
            mel=self._natural(spoken.mel[0, : int(spoken.lengths[0])].cpu())
            if self.has_vocoder
            else None,
            durations=None if planned is None else tuple(planned),
            phonemes=self.phonemes(utterance.phoneme_indices, planned),
            seconds=seconds,
            loss=_loss(spoken),
        )

    def read(self, text: str) -> Rendition:
        """Return a text that no one recorded as the model says it.

        Raises:
            FrontendError: The text cannot be read.
        """
        reader = self._reader
        started = time.perf_counter()
        spoken = joined(
            [
                spoken
                for each in reader.read(text)
                for spoken in reader.speak([each], seed=self._seed, **self._given)
            ]
        )
        seconds = time.perf_counter() - started
        return Rendition(
            samples=_as_array(spoken.samples),
            sample_rate=spoken.sample_rate,
            phonemes=tuple(each for word in spoken.words for each in word.phonemes),
            seconds=seconds,
            loss=spoken.loss,
        )

    @cached_property
    def _reader(self) -> TextToSpeech:
        return TextToSpeech(self._model)

    def _samples(self, spoken: Generation) -> Samples:
        length = int(spoken.lengths[0])
        if length == 0:
            return torch.zeros(self.audio.hop_length).numpy()
        return _as_array(self._to_samples(spoken)[0, : length * self.audio.hop_length])

    def _natural(self, mel: Tensor) -> Any:
        """Return the natural log mel of a normalised one, (T, M)."""
        [natural] = natural_mels(mel.unsqueeze(0), torch.tensor([len(mel)]), self.audio)
        return natural

    def phonemes(
        self, indices: Tensor, durations: Sequence[int] | None
    ) -> tuple[TimedPhoneme, ...]:
        """Return when each phoneme is heard; nothing where durations are unknown."""
        if durations is None:
            return ()
        frame = self.audio.hop_length / self.audio.sample_rate
        bounds = itertools.pairwise(itertools.accumulate(durations, initial=0))
        return tuple(
            TimedPhoneme(self._symbols[index], start * frame, end * frame)
            for index, (start, end) in zip(indices.tolist(), bounds, strict=True)
        )

    def _features(self, utterance: Utterance) -> dict[str, Any]:
        """Return what the model must be told beside phonemes, as the corpus has it."""
        reference = _normalised(utterance.mel, self.audio).unsqueeze(0)
        own: dict[str, Any] = {
            "reference": reference,
            "reference_padding_mask": torch.zeros(reference.shape[:2], dtype=torch.bool),
        }
        features: dict[str, Any] = {}
        for name in sorted(self._model.acoustic.wiring.required(training=False)):
            if name in own:
                features[name] = own[name]
            elif name in utterance.features:
                features[name] = _row(utterance.features[name])
            else:
                raise CorpusError(
                    f"`{self._model.spec.name}` speaks with `{name}`, which the corpus does not "
                    f"have for `{utterance.name}`; evaluate it on a corpus that has it."
                )
        return features


def _check_vocoder(model: KokoroModel) -> None:
    if model.spec.vocoder is None and not gives_wave(model.spec.decoder):
        raise ValueError(
            f"`{model.spec.name}` has no `vocoder`, so it cannot be heard; "
            f"`--set vocoder.type=griffin_lim` gives it one."
        )


def _normalised(mel: Tensor, audio: AudioSettings) -> Tensor:
    return (mel - audio.mean) / audio.std


def _row(value: Any) -> Any:
    """Return a feature of one utterance as that of a batch of one; names stay names."""
    return [value] if isinstance(value, str) else torch.as_tensor(value).unsqueeze(0)


def _as_array(samples: Tensor) -> Samples:
    return samples.detach().float().cpu().numpy()


def _loss(spoken: Generation) -> str | None:
    frames, reason = int(spoken.lengths[0]), str(spoken.stop_reasons[0])
    planned = None if spoken.durations is None else int(spoken.durations[0].sum())
    if ended_well(reason, frames, planned):
        return None
    return cut_short(reason, frames, planned)
