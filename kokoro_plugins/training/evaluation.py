"""What a trained model does with utterances: fed the truth, and left to itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kokoro_core import KokoroModel
from kokoro_core.generation import Generation
from kokoro_core.measures.mel_distortion import mel_cepstral_distortion, natural_mels
from kokoro_core.model import ModelOutput, TrainingBatch
from kokoro_core.model.losses import mel_l1
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.rules.waves import gives_wave
from kokoro_plugins.training.data.collate import normalise

LENGTH_TOLERANCE = 0.05
"""How far from the true length a sentence may end and still count as ended in time."""

LONGEST = 3
"""No sentence may become longer than this multiple of the longest true one."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of some utterances; the errors are of normalised mels, over all true frames.

    Attributes:
        teacher_forced: Mean absolute error with the true frames fed.
        free_running: The same with the model's own frames fed, at the true durations.
        ended_in_time: Utterances ended by the stop token within 5 % of the true length; None for a
            model that has no stop token.
        utterances: Utterances in all.
        seconds: How long free-running generation took.
        frames: Frames that it made.
    """

    teacher_forced: float
    free_running: float
    ended_in_time: int | None
    utterances: int
    seconds: float
    frames: int

    @property
    def ratio(self) -> float:
        """Free-running over teacher-forced error."""
        return self.free_running / self.teacher_forced

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as values that JSON has."""
        return {**vars(self), "ratio": self.ratio}


def evaluate(model: KokoroModel, batches: Iterable[TrainingBatch]) -> Evaluation:
    """Measure a model in evaluation mode, with true durations.

    Raises:
        ValueError: `batches` is empty.
    """
    parts = [_evaluate(model, batch) for batch in batches]
    if not parts:
        raise ValueError("`batches` must hold at least one batch to measure a model with.")
    true_frames = [frames for _, frames in parts]
    return Evaluation(
        teacher_forced=_mean([part.teacher_forced for part, _ in parts], true_frames),
        free_running=_mean([part.free_running for part, _ in parts], true_frames),
        ended_in_time=_sum_or_none([part.ended_in_time for part, _ in parts]),
        utterances=sum(part.utterances for part, _ in parts),
        seconds=sum(part.seconds for part, _ in parts),
        frames=sum(part.frames for part, _ in parts),
    )


def _evaluate(model: KokoroModel, batch: TrainingBatch) -> tuple[Evaluation, int]:
    output = _output(model, batch)
    durations = None if output.plan is None else output.plan.durations
    started = time.perf_counter()
    spoken = generate_batch(model, batch, durations=durations)
    seconds = time.perf_counter() - started
    figures = Evaluation(
        teacher_forced=mel_error(mels_of(model, output.mel, batch.lengths), batch),
        free_running=mel_error(mels_of(model, spoken.mel, spoken.lengths), batch),
        ended_in_time=None if output.stop_logits is None else sum(ended_in_time(spoken, batch)),
        utterances=len(batch),
        seconds=seconds,
        frames=int(spoken.lengths.sum()),
    )
    return figures, int(batch.lengths.sum())


def _sum_or_none(values: list[int | None]) -> int | None:
    counts = [value for value in values if value is not None]
    return sum(counts) if counts else None


def _mean(values: list[float], weights: list[int]) -> float:
    total = sum(value * weight for value, weight in zip(values, weights, strict=True))
    return total / sum(weights)


def predict(model: KokoroModel, batch: TrainingBatch) -> Tensor:
    """Return the mel that the model predicts from the true frames, (B, T, M)."""
    return mels_of(model, _output(model, batch).mel, batch.lengths)


def mels_of(model: KokoroModel, made: Tensor, lengths: Tensor) -> Tensor:
    """Return what a model made as normalised mels, if it makes waveforms too.

    Shape:
        made: (B, T, M), or (B, T, hop_length) samples. lengths: (B,) int64. Returns: (B, T, M).
    """
    audio = model.spec.audio
    if audio is None or not gives_wave(model.spec.decoder):
        return made
    to_mel = MelSpectrogram(audio=audio).to(made)
    mels = made.new_zeros(*made.shape[:2], audio.n_mels)
    for row, length in enumerate(lengths.tolist()):
        if length:
            # (T, hop) -> (T * hop,)
            mel = normalise(to_mel(_windowed(made[row, :length].flatten(), audio)), audio)[:length]
            mels[row, : len(mel)] = mel
    return mels


def _windowed(samples: Tensor, audio: AudioSettings) -> Tensor:
    """Return samples with silence behind them, if they are fewer than a window has."""
    return F.pad(samples, (0, max(0, audio.n_fft - len(samples))))


@torch.no_grad()
def _output(model: KokoroModel, batch: TrainingBatch) -> ModelOutput:
    output: ModelOutput = model(batch)
    return output


def durations_of(model: KokoroModel, batch: TrainingBatch) -> Tensor | None:
    """Return the true durations of a batch; where a model aligns, those that it finds.

    None for a model that plans none.
    """
    if model.acoustic.regulator is None:
        return None
    plan = _output(model, batch).plan if model.acoustic.aligner is not None else None
    return batch.durations if plan is None else plan.durations


def generate_batch(
    model: KokoroModel, batch: TrainingBatch, *, durations: Tensor | None = None
) -> Generation:
    """Let the model speak the phonemes of a batch, with its own durations if none are given.

    It is given the features that speaking needs, as the batch has them, and predicts the others.
    """
    needed = model.acoustic.wiring.required(training=False)
    own = {"reference": batch.mel_specs, "reference_padding_mask": batch.mel_padding_mask}
    features = {name: each for name, each in {**own, **batch.extras}.items() if name in needed}
    return model.generate(
        batch.phoneme_indices,
        batch.padding_mask,
        durations=durations,
        max_mel_len=LONGEST * batch.mel_specs.shape[1],
        seed=0,
        **features,
    )


def distortion(model: KokoroModel, data: Iterable[TrainingBatch], audio: AudioSettings) -> float:
    """Return the mean mel cepstral distortion in dB of what a model makes at true durations.

    It is that of the mels, before any vocoder.
    """
    found: list[float] = []
    for batch in data:
        made = generate_batch(model, batch, durations=durations_of(model, batch))
        mine = natural_mels(mels_of(model, made.mel, made.lengths), made.lengths, audio)
        true = natural_mels(batch.mel_specs, batch.lengths, audio)
        found += map(mel_cepstral_distortion, mine, true)
    return sum(found) / len(found)


def mel_error(mel: Tensor, batch: TrainingBatch) -> float:
    """Return the mean absolute error over all true frames.

    Frames that the model did not make count as zero frames; those that it made too many are left
    out.

    Shape:
        mel: (B, any, M), normalised.
    """
    missing = max(0, batch.mel_specs.shape[1] - mel.shape[1])
    # (B, any, M) -> (B, T, M)
    aligned = F.pad(mel, (0, 0, 0, missing))[:, : batch.mel_specs.shape[1]]
    return float(mel_l1(aligned, batch.mel_specs, batch.mel_padding_mask))


def ended_in_time(spoken: Generation, batch: TrainingBatch) -> list[bool]:
    """Return for each utterance whether its stop token ended it within 5 % of the true length."""
    rows = zip(spoken.stop_reasons, spoken.lengths.tolist(), batch.lengths.tolist(), strict=True)
    return [
        reason == "stop_token" and abs(made - true) <= LENGTH_TOLERANCE * true
        for reason, made, true in rows
    ]
