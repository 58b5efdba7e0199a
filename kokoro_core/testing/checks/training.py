"""What training does beside its result: statistics, synchronisation, the aim of a loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from unittest import mock

import torch

from kokoro_core.testing.check import Check, only_if
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.subjects.tiny import with_dropout


def _no_buffers(subject: Subject) -> str | None:
    return None if any(True for _ in subject.component.buffers()) else "it has no buffers"


@Check(
    "statistics-of-rows",
    cases=BATCHES,
    since=2,
    skip=_no_buffers,
    bug="pytorch#81985: running statistics that padded positions are counted in",
)
def statistics_of_rows(subject: Subject, batch: RaggedBatch) -> None:
    """What training moves in buffers without dropout depends on no padding and nothing in it."""
    inputs = subject.probe.inputs(batch)
    moved = [_moved(subject, each) for each in (inputs, inputs.wider(3))]
    for name, buffer in moved[0].items():
        promise = f"`{name}` must move in training as it does without padding"
        assert_same(moved[1][name], buffer, promise)


def _moved(subject: Subject, inputs: Inputs) -> dict[str, Any]:
    component = replace(subject, params=with_dropout(subject.params, 0.0)).build().train()
    subject.probe_of(component).run(inputs)
    return dict(component.named_buffers())


WAITS = ("item()", "_local_scalar_dense", "nonzero", "copy out of meta", "is_nonzero")
"""Words of the errors of tensors that have no values, when somebody looks at them."""


@Check(
    "no-waiting",
    cases=ONE_BATCH,
    since=2,
    skip=only_if("compilable"),
    bug="`.item()` in a training step: the GPU waits for Python at each",
)
def no_waiting(subject: Subject, batch: RaggedBatch) -> None:
    """A training step never looks at the values of tensors, for which a GPU would wait."""
    component = subject.build().to("meta").train()
    probe = _with_room(subject.probe_of(component))
    inputs = probe.inputs(batch)
    noise = inputs.tensors.keys() & {"noise"}
    given = Inputs(
        {name: each if name in noise else each.to("meta") for name, each in inputs.tensors.items()},
        {name: each.to("meta") for name, each in inputs.padding.items()},
    )
    try:
        # who looks only where no graph is made has thought of it
        with mock.patch("torch.compiler.is_compiling", return_value=True):
            probe.run(given)
    except Exception as error:
        said = str(error)
        assert not any(word in said for word in WAITS), (
            f"a training step must not look at values: {said.partition(chr(10))[0]}"
        )


def _with_room(probe: Probe) -> Probe:
    from kokoro_core.testing.checks.compiling import with_room

    return with_room(probe)


AIM = 12.0
"""Frames that a predictor is taught before its own loss is asked."""


def _without_aim(subject: Subject) -> str | None:
    probe = subject.probe
    outputs = probe.run(probe.inputs(RaggedBatch((3,))))
    if not outputs.losses:
        return "it has no loss of its own"
    if "duration_pred" not in outputs.tensors or "noise" in probe.names:
        return "what it predicts is not one number, or drawn"
    return None


@Check(
    "loss-aims-at-frames",
    cases=ONE_BATCH,
    slots=("duration_predictor",),
    since=2,
    skip=_without_aim,
    bug="a loss that compares logarithms with frames, or those of 2 with those of e",
)
def loss_aims_at_frames(subject: Subject, batch: RaggedBatch) -> None:
    """A predictor's own loss is least for the durations that its frames mean, not for others."""
    component = subject.build()
    probe = subject.probe_of(component)
    inputs = probe.inputs(RaggedBatch((4, 4), 0, batch.seed))
    _teach(component, probe, inputs)
    frames = float(probe.run(inputs).tensors["frames"].detach().median())
    if not AIM / 1.5 < frames < AIM * 1.5:
        return  # it could not be taught, and says nothing
    losses = {}
    for frame in range(1, 60):
        told = inputs.changed(durations=torch.full_like(inputs.tensors["durations"], frame))
        losses[frame] = sum(float(each.detach()) for each in probe.run(told).losses.values())
    best = min(losses, key=losses.__getitem__)
    assert frames / 1.7 <= best <= frames * 1.7, (
        f"its loss must be least for the durations that it predicts: it predicts {frames:.0f} "
        f"frames, and its loss is least for {best}"
    )


def _teach(component: Any, probe: Probe, inputs: Inputs) -> None:
    """Move the parameters until about `AIM` frames are predicted."""
    parameters = list(component.parameters())
    if not parameters:
        return
    optimizer = torch.optim.Adam(parameters, lr=0.03)
    wanted = torch.tensor(AIM + 1).log()
    for _ in range(150):
        optimizer.zero_grad()
        error = (probe.run(inputs).tensors["duration_pred"] - wanted).square().mean()
        if not error.requires_grad or float(error.detach()) < 1e-4:
            return
        cast("Any", error).backward()
        optimizer.step()
