"""Promises of adaptors: the target is for training, the control for speaking."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch

from kokoro_core.params.component import declared
from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH
from kokoro_core.testing.data.compare import (
    assert_identical,
    assert_same,
    largest_difference,
    tolerance_of,
)
from kokoro_core.testing.probes import AdaptorProbe
from kokoro_core.testing.subjects.subject import Subject

adaptor_check = partial(Check, slots=("adaptor",))


def _probe(subject: Subject) -> AdaptorProbe:
    return cast("AdaptorProbe", subject.probe)


def _without_control(subject: Subject) -> str | None:
    options = declared(subject.params, "options", {})
    return None if "control" in options else "it declares no option `control`"


def _without_target(subject: Subject) -> str | None:
    return None if subject.params.target is not None else "it learns from no target"  # type: ignore[attr-defined]


@adaptor_check(
    "control-is-a-factor",
    cases=ONE_BATCH,
    skip=_without_control,
    bug="ming024/FastSpeech2: a control that is added, or heard in training alone",
)
def control_is_a_factor(subject: Subject, batch: RaggedBatch) -> None:
    """In speaking a control of 1 changes nothing, and another one changes the vectors."""
    probe = _probe(subject)
    inputs = probe.inputs(batch)
    plain = probe.adapt(inputs, target=None)
    once = probe.adapt(inputs, target=None, control=1.0)
    assert_identical(once.x, plain.x, "a `control` of 1 must change nothing")
    if plain.prediction is None:
        return
    twice = probe.adapt(inputs, target=None, control=2.0)
    change = largest_difference({"x": twice.x}, {"x": plain.x})
    assert change > tolerance_of(plain.x), "a `control` of 2 must change `x`"


@adaptor_check(
    "target-teaches",
    cases=ONE_BATCH,
    skip=_without_target,
    bug="a prediction that is told what it is to predict: the loss is low, the speech is flat",
)
def target_teaches(subject: Subject, batch: RaggedBatch) -> None:
    """The prediction does not know the target; the vectors or a loss do."""
    probe = _probe(subject)
    inputs, other = probe.inputs(batch), probe.inputs(_another(batch))
    target, another = inputs.tensors["target"], other.tensors["target"]
    spoken = probe.adapt(inputs, target=None)
    first, second = (probe.adapt(inputs, target=each) for each in (target, another))
    if first.prediction is not None and spoken.prediction is not None:
        promise = "`prediction` must be the same without the target"
        assert_same(first.prediction, spoken.prediction, promise)
    changed = [largest_difference({"x": second.x}, {"x": first.x})]
    changed.append(largest_difference(second.losses, first.losses))
    assert max(changed) > tolerance_of(first.x), "another target must change `x` or a loss"
    for name, loss in first.losses.items():
        assert bool(loss.isfinite()), f"the loss `{name}` must be finite"
        assert loss.shape == torch.Size(()), f"the loss `{name}` must be one number"


def _another(batch: RaggedBatch) -> RaggedBatch:
    return RaggedBatch(batch.lengths, batch.extra, batch.seed + 1)
