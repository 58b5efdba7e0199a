"""A stop logit knows what its frame knows, and a postnet goes on from what it gets."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing.check import Check, only_if, only_if_not
from kokoro_core.testing.checks.reach import dependencies_of_output
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject


def _no_stops(subject: Subject) -> str | None:
    if not isinstance(subject.component, AutoregressiveDecoder):
        return "it makes all frames at once"
    return None


@Check(
    "stop-in-time",
    cases=ONE_BATCH,
    slots=("decoder",),
    since=2,
    skip=_no_stops,
    bug="a stop head that is a group late: with two frames a step each sentence is too long",
)
def stop_in_time(subject: Subject, batch: RaggedBatch) -> None:
    """The stop logit of a frame knows as late a frame, and as late a memory, as the frame does."""
    probe = subject.probe
    group = probe.component.reduction_factor
    inputs = [probe.inputs(RaggedBatch((4 * group,), 0, batch.seed + each)) for each in range(4)]
    for source in ("mel_specs", "memory"):
        if source in probe.capabilities.detached_inputs:
            continue
        mel, stop = (_latest(probe, inputs, source, name) for name in ("mel", "stop_logits"))
        if bool((stop < 0).all()):
            continue  # it stops without looking at these
        late = (stop < mel).nonzero().flatten().tolist()
        assert not late, (
            f"the stop logit of frame {late[0]} must know `{source}` up to step "
            f"{int(mel[late[0]])}, as the frame does, not only up to {int(stop[late[0]])}"
        )


def _latest(probe: Probe, draws: list[Inputs], source: str, output: str) -> Tensor:
    """Return for each output step the latest step of the source that it depends on, or -1."""
    depends = dependencies_of_output(probe, draws, source, output)
    steps = torch.arange(depends.shape[1])
    return torch.where(depends, steps, -1).amax(1)


FOLLOWS = 0.5


def _slope(subject: Subject) -> float:
    """Return how far a refined number moves with its own coarse one, in the mean."""
    probe = subject.probe_of(subject.build(jitter=0))
    slopes = []
    for seed in range(3):
        inputs = probe.inputs(RaggedBatch((6,), 0, seed)).mapped(lambda each: each.requires_grad_())
        mel = inputs.tensors["mel"]
        refined = probe.run(inputs).tensors["refined"]
        flat = refined.flatten()
        for place in range(0, flat.numel(), 3):
            (gradient,) = torch.autograd.grad(flat[place], mel, retain_graph=True)
            slopes.append(float(gradient.flatten()[place]))
    return sum(slopes) / len(slopes)


@Check(
    "follows-the-mel",
    cases=ONE_BATCH,
    slots=("postnet",),
    since=2,
    skip=only_if("residual"),
    bug="a postnet that forgets to add its input: it trains, and slowly",
)
def follows_the_mel(subject: Subject, batch: RaggedBatch) -> None:
    """A new postnet goes on from the coarse mel, and does not make it anew."""
    found = _slope(subject)
    assert found > FOLLOWS, (
        f"the refined mel must move with the coarse one, by about 1 for 1 and not {found:.2g}, or "
        f"the postnet must declare `residual=False`"
    )


@Check(
    "makes-the-mel-anew",
    cases=ONE_BATCH,
    slots=("postnet",),
    since=2,
    skip=only_if_not("residual", "it adds to the mel that it gets"),
    bug="a declaration that is no longer true",
)
def makes_the_mel_anew(subject: Subject, batch: RaggedBatch) -> None:
    """A postnet that declares `residual=False` does not add to the mel that it gets."""
    found = _slope(subject)
    assert found <= FOLLOWS, "it adds to the coarse mel, so it must not declare `residual=False`"
