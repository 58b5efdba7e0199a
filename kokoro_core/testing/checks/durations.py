"""Promises of duration predictors."""

from __future__ import annotations

from functools import partial

import torch

from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import assert_same, tolerance_of
from kokoro_core.testing.subjects.subject import Subject

duration_check = partial(Check, slots=("duration_predictor",))


@duration_check(
    "frames-not-negative",
    cases=BATCHES,
    bug="EveryVoice#30: repeats can not be negative; coqui glow_tts: padding that lasts a frame",
)
def frames_not_negative(subject: Subject, batch: RaggedBatch) -> None:
    """Frames are finite and not negative for any hidden, and exactly 0 at padding."""
    for scale in (1.0, 30.0):
        inputs = subject.probe.inputs(batch).mapped(lambda each: each * scale)  # noqa: B023
        frames = subject.probe.run(inputs).tensors["frames"]
        assert bool(frames.isfinite().all()), "`frames` must be finite"
        assert bool((frames >= 0).all()), f"`frames` must not be negative, as {frames.min()} is"
        padding = frames[inputs.padding["hidden"]]
        assert bool((padding == 0).all()), "`frames` must be 0 at padding"


@duration_check(
    "frames-from-log",
    cases=BATCHES,
    bug="ming024/FastSpeech2: rounded, then scaled, then cut; Matcha-TTS 108906c",
)
def frames_from_log(subject: Subject, batch: RaggedBatch) -> None:
    """Frames are what the prediction, ln(frames + 1), stands for, and are not rounded."""
    outputs = subject.probe.run(subject.probe.inputs(batch))
    if "duration_pred" not in outputs.tensors:
        return
    oracle = (outputs.tensors["duration_pred"].exp() - 1).clamp_min(0)
    expected = oracle.masked_fill(outputs.padding_mask, 0)
    assert_same(outputs.tensors["frames"], expected, "`frames` must be exp(duration_pred) - 1")


@duration_check(
    "frames-vary",
    cases=ONE_BATCH,
    bug="ming024/FastSpeech2#185: a predictor that always says the same, or whole numbers",
)
def frames_vary(subject: Subject, batch: RaggedBatch) -> None:
    """Different phonemes get different frames, and some of them are no whole numbers."""
    found = []
    for seed in range(8):
        inputs = subject.probe.inputs(RaggedBatch(batch.lengths, 0, seed))
        outputs = subject.probe.run(inputs.mapped(lambda each: each * 3))
        found.append(outputs.tensors["frames"][~outputs.padding_mask])
    frames = torch.cat(found).detach()
    frames = frames[frames > 0]
    assert len(frames), "some phoneme must last for some time"
    assert float(frames.max() - frames.min()) > tolerance_of(frames), "frames must not be all alike"
    assert bool((frames != frames.round()).any()), "`frames` must not be rounded"
