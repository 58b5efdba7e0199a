"""Sentences to listen to: spoken by the model, through the vocoder alone, and the recording."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend, Utterance, Vocoder
from kokoro_core.generation import Generation
from kokoro_core.measures.mel_distortion import (
    Array,
    mel_cepstral_distortion,
    natural_log_mel,
    natural_mels,
)
from kokoro_core.model import TrainingBatch
from kokoro_core.params.audio import AudioSettings
from kokoro_core.speech import write_wav
from kokoro_plugins.training.data.collate import collate, denormalise
from kokoro_plugins.training.data.fitting import learned_from
from kokoro_plugins.training.evaluation import durations_of, ended_in_time, generate_batch
from kokoro_plugins.training.pictures import draw_durations, draw_mels


@dataclass(frozen=True)
class SentenceResult:
    """One sentence, spoken from its text alone.

    Attributes:
        text: What was said.
        held_out: Whether it was kept from training.
        stop_reason: Why it ended.
        frames: Frames made, of `true_frames` in the recording.
        true_frames: See there.
        audio_seconds: How long the speech is.
        model_seconds: How long the model took.
        vocoder_seconds: How long the vocoder took.
        files: Each file, from the demo's folder on, with what it is.
    """

    text: str
    held_out: bool
    stop_reason: str
    frames: int
    true_frames: int
    audio_seconds: float
    model_seconds: float
    vocoder_seconds: float
    files: dict[str, str]

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of speech."""
        return (self.model_seconds + self.vocoder_seconds) / self.audio_seconds


@dataclass(frozen=True)
class Distortions:
    """Mel cepstral distortion in dB from the recordings, a mean over sentences.

    Attributes:
        mel: The model's mel at true durations, before the vocoder.
        true_durations: The model's speech at true durations.
        predicted_durations: The model's speech at its own.
        vocoded: The true mel through the same vocoder: the floor.
        wrong_sentence: The true mel of another sentence through it: the ceiling.
    """

    mel: float
    true_durations: float
    predicted_durations: float
    vocoded: float
    wrong_sentence: float


@final
class Listener:
    """A loaded model with what it needs to be heard.

    Args:
        model: In evaluation mode.
        frontend: Of its spec.
        vocoder: Of its spec.
        audio: What its mels mean.
    """

    def __init__(
        self, model: KokoroModel, frontend: Frontend, vocoder: Vocoder, audio: AudioSettings
    ) -> None:
        vocoder.check_audio(audio)
        self._model = model
        self._frontend = frontend
        self._vocoder = vocoder
        self._audio = audio

    def say(self, utterance: Utterance, folder: Path, *, held_out: bool) -> SentenceResult:
        """Speak an utterance's text, and write wavs and pictures of it to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        spoken = self._speak_text(utterance.text, longest=3 * len(utterance.mel))
        model_seconds = time.perf_counter() - started
        wave = self.waves(spoken.mel, spoken.lengths)[0]
        vocoder_seconds = time.perf_counter() - started - model_seconds
        features = learned_from(self._model.spec)["features"]
        batch = collate([utterance], self._audio, self._model.spec.pad_id, features=features)
        guided = generate_batch(self._model, batch, durations=durations_of(self._model, batch))
        files = self._write_wavs(folder, utterance, wave, guided, batch)
        files |= self._draw(folder, utterance, spoken, guided, batch)
        return SentenceResult(
            text=utterance.text,
            held_out=held_out,
            stop_reason=spoken.stop_reasons[0],
            frames=int(spoken.lengths[0]),
            true_frames=len(utterance.mel),
            audio_seconds=len(wave) / self._audio.sample_rate,
            model_seconds=model_seconds,
            vocoder_seconds=vocoder_seconds,
            files=files,
        )

    def waves(self, mel: Tensor, lengths: Tensor) -> list[Tensor]:
        """Return the samples of each row of a normalised mel.

        Shape:
            mel: (B, T, M). lengths: (B,) int64.
        """
        waves = self._vocoder.decode(denormalise(mel, self._audio), lengths)
        samples = (lengths * self._audio.hop_length).tolist()
        return [wave[:length] for wave, length in zip(waves, samples, strict=True)]

    def _speak_text(self, text: str, *, longest: int) -> Generation:
        indices = torch.tensor([self._frontend.encode(text)])
        return self._model.generate(indices, max_mel_len=longest, seed=0)

    def _write_wavs(
        self,
        folder: Path,
        utterance: Utterance,
        wave: Tensor,
        guided: Generation,
        batch: TrainingBatch,
    ) -> dict[str, str]:
        rate = self._audio.sample_rate
        waves = {
            "spoken.wav": (wave, "the model, from the text alone"),
            "spoken-true-durations.wav": (
                self.waves(guided.mel, guided.lengths)[0],
                "the model, with the recording's durations",
            ),
            "vocoded.wav": (
                self.waves(batch.mel_specs, batch.lengths)[0],
                "the recording's mel through the vocoder: the best that can be had",
            ),
        }
        for name, (samples, _) in waves.items():
            write_wav(folder / name, samples, rate)
        files = {f"{folder.name}/{name}": what for name, (_, what) in waves.items()}
        if utterance.audio_path is not None:
            shutil.copyfile(utterance.audio_path, folder / "recording.wav")
            files[f"{folder.name}/recording.wav"] = "the recording"
        return files

    def _draw(
        self,
        folder: Path,
        utterance: Utterance,
        spoken: Generation,
        guided: Generation,
        batch: TrainingBatch,
    ) -> dict[str, str]:
        mels = {
            "recording": batch.mel_specs[0],
            "model, true durations": guided.mel[0],
            "model, own durations": spoken.mel[0],
        }
        draw_mels(folder / "mel.png", mels, utterance.text)
        files = {f"{folder.name}/mel.png": "generated and true mel"}
        symbols = [self._frontend.symbols[index] for index in utterance.phoneme_indices.tolist()]
        predicted = generate_batch(self._model, batch).durations
        true = utterance.durations
        if predicted is not None and true is not None:
            durations = {"recording": true.tolist(), "model": predicted[0].tolist()}
            draw_durations(folder / "durations.png", symbols, durations, utterance.text)
            files[f"{folder.name}/durations.png"] = "predicted and true durations"
        return files

    def distortions(self, batch: TrainingBatch) -> Distortions:
        """Measure the model's speech through the vocoder against the recordings."""
        references = natural_mels(batch.mel_specs, batch.lengths, self._audio)
        guided = generate_batch(self._model, batch, durations=durations_of(self._model, batch))
        own = generate_batch(self._model, batch)
        vocoded = self._mels(batch.mel_specs, batch.lengths)
        return Distortions(
            mel=_distortion(natural_mels(guided.mel, guided.lengths, self._audio), references),
            true_durations=_distortion(self._mels(guided.mel, guided.lengths), references),
            predicted_durations=_distortion(self._mels(own.mel, own.lengths), references),
            vocoded=_distortion(vocoded, references),
            wrong_sentence=_distortion(vocoded, [*references[1:], references[0]]),
        )

    def ended_in_time(self, batch: TrainingBatch) -> int:
        """Return how many sentences end by the stop token in time with durations of their own."""
        return sum(ended_in_time(generate_batch(self._model, batch), batch))

    def _mels(self, mel: Tensor, lengths: Tensor) -> list[Array]:
        """Return the log mel of what is heard of each row."""
        return [
            natural_log_mel(wave.double().numpy(), self._audio) for wave in self.waves(mel, lengths)
        ]


def _distortion(mels: Sequence[Array], references: Sequence[Array]) -> float:
    pairs = zip(mels, references, strict=True)
    return float(np.mean([mel_cepstral_distortion(mel, true) for mel, true in pairs]))
