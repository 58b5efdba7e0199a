"""Promises of regulators, compared with a reference that repeats each vector."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from kokoro_core.contracts import Plan
from kokoro_core.testing.check import Check, first_reason, only_if, only_if_not
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import DURATIONS, DurationRows
from kokoro_core.testing.data.compare import assert_identical, assert_same, tolerance_of
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

regulator_check = partial(Check, slots=("regulator",))


def planned(
    subject: Subject, data: DurationRows, channels: int, probe: Probe | None = None, stream: int = 0
) -> tuple[Tensor, Tensor, Plan]:
    """Return vectors (B, N, channels), the durations (B, N), and a plan for them.

    Another stream plans with other hidden vectors.
    """
    probe = probe or subject.probe
    batch = RaggedBatch(tuple(len(row) for row in data.rows), 1, data.seed)
    durations = torch.zeros(len(data.rows), batch.width, dtype=torch.int64)
    for row, frames in enumerate(data.rows):
        durations[row, : len(frames)] = torch.tensor(frames)
    longest = max(sum(row) for row in data.rows)
    num_frames = None if data.extra is None else longest + data.extra
    hidden = probe.floats(batch, subject.sizes.hidden_dim, stream=stream)
    inputs = probe.with_side_inputs(
        batch, Inputs({"hidden": hidden}, {"hidden": batch.padding_mask})
    )
    side = probe.side_inputs(inputs)
    plan = probe.component.plan(hidden, durations, batch.padding_mask, num_frames, **side)
    return probe.floats(batch, channels, stream=5), durations, plan


def _shares(
    subject: Subject, data: DurationRows, probe: Probe | None = None, stream: int = 0
) -> tuple[Tensor, Tensor, Plan]:
    """Return each phoneme's share in each frame (B, T, N), the durations (B, N), and the plan.

    The shares are what `expand` makes of the identity matrix.
    """
    probe = probe or subject.probe
    _, durations, made = planned(subject, data, 1, probe, stream)
    identity = torch.eye(durations.shape[1], dtype=probe.dtype)
    return probe.component.expand(made, identity.expand(len(durations), -1, -1)), durations, made


@regulator_check(
    "plan",
    cases=DURATIONS,
    bug="TensorFlowTTS#107, espnet#3318, Muskits#126: a sum of durations that is not the length",
)
def plan(subject: Subject, data: DurationRows) -> None:
    """A plan has as many frames as the durations sum to, row for row, and keeps the durations."""
    _, durations, made = planned(subject, data, 1)
    sums = [sum(row) for row in data.rows]
    assert made.lengths.tolist() == sums, f"`lengths` must be {sums}, not {made.lengths.tolist()}"
    assert made.lengths.dtype == torch.int64, f"`lengths` must be int64, not {made.lengths.dtype}"
    assert_identical(made.durations, durations, "the plan must keep the durations")
    width = max(sums) + (data.extra or 0)
    expected = torch.arange(width) >= torch.tensor(sums).unsqueeze(1)
    assert_identical(made.padding_mask, expected, "the padding mask must cover what is beyond")


@regulator_check(
    "repeats",
    cases=DURATIONS,
    skip=only_if_not("blends"),
    bug="ming024/FastSpeech2#55, TensorFlowTTS#256: frames of the wrong phoneme, zeros that last",
)
def repeats(subject: Subject, data: DurationRows) -> None:
    """Each phoneme's vector is repeated for exactly as many frames as it lasts, to the bit."""
    for channels in (1, 3):
        x, _, made = planned(subject, data, channels)
        memory = subject.component.expand(made, x)
        for row, frames in enumerate(data.rows):
            oracle = [x[row, place] for place, count in enumerate(frames) for _ in range(count)]
            expected = torch.stack(oracle) if oracle else x.new_zeros(0, channels)
            promise = f"row {row} must repeat each vector as often as its phoneme lasts"
            assert_identical(memory[row, : len(oracle)], expected, promise)
            assert bool((memory[row, len(oracle) :] == 0).all()), f"row {row} must be 0 at padding"


@regulator_check(
    "weights",
    cases=DURATIONS,
    bug="a blend whose weights do not sum to 1, or that is a frame late",
)
def weights(subject: Subject, data: DurationRows) -> None:
    """A frame is a mean of its row's phonemes: weights from 0 to 1 that sum to 1, in order."""
    blend, durations, made = _shares(subject, data)
    valid = ~made.padding_mask
    assert bool((blend >= 0).all()), "weights must not be negative"
    assert_same(blend.sum(2), valid.to(blend.dtype), "weights must sum to 1, and to 0 at padding")
    absent = (durations == 0).unsqueeze(1).expand_as(blend)
    assert bool((blend[absent] == 0).all()), "a phoneme of 0 frames must have no part in a frame"
    x, _, again = planned(subject, data, 3)
    for vectors in (x, -x):
        promise = "`expand` must be this blend, for each tensor that the plan serves"
        assert_same(subject.component.expand(again, vectors), blend @ vectors, promise)
    places = torch.arange(durations.shape[1], dtype=subject.dtype)
    if subject.capabilities.learned_ranges:
        return  # a phoneme that reaches far may lead again behind one that does not
    mean = blend @ places
    back = (mean.diff(dim=1) < -1e-9) & valid[:, 1:]
    assert not bool(back.any()), "frames must not go back to earlier phonemes"


LONG = (DurationRows(((12, 12, 12), (9, 9, 9))), DurationRows(((40,), (20, 20))))


@regulator_check(
    "in-time",
    cases=DURATIONS.of(*LONG),
    skip=only_if_not("learned_ranges"),
    bug="PaddleSpeech: memory that is frames late against the mel",
)
def in_time(subject: Subject, data: DurationRows) -> None:
    """Of phonemes that last alike, each leads from its first frame to its last, within a frame."""
    blend, _, _ = _shares(subject, data)
    for row, frames in enumerate(data.rows):
        for place, count in enumerate(frames):
            own = blend[row, :, place]
            others = torch.cat([blend[row, :, :place], blend[row, :, place + 1 :]], 1)
            leads = (own > others.amax(1) + 1e-9).nonzero().flatten()
            first, last = place * count, place * count + count - 1
            assert 0 <= int(leads.min()) - first <= 1, f"phoneme {place} must begin in time"
            assert 0 <= last - int(leads.max()) <= 1, f"phoneme {place} must end in time"


@regulator_check(
    "plan-gradient",
    cases=DURATIONS,
    bug="PaddleSpeech#3032: a regulator that is cut off from the encoder",
)
def plan_gradient(subject: Subject, data: DurationRows) -> None:
    """The gradient reaches the vectors: each frame passes on exactly 1 to the phonemes it is of."""
    x, durations, made = planned(subject, data, 2)
    x.requires_grad_()
    memory = subject.component.expand(made, x)
    valid = (~made.padding_mask).unsqueeze(2).expand_as(memory)
    memory[valid].sum().backward()
    assert x.grad is not None, "the gradient must reach the vectors"
    frames = made.lengths.to(x.dtype)
    assert_same(x.grad.sum(1)[:, 0], frames, "all frames together must pass on their number")
    if not subject.capabilities.blends:
        expected = durations.unsqueeze(2).expand_as(x).to(x.dtype)
        assert_same(x.grad, expected, "the gradient of a phoneme must be its duration")


@regulator_check(
    "plan-in-half",
    cases=DURATIONS.of(DurationRows(((300, 1, 2, 400), (1, 700)))),
    skip=first_reason(only_if("low_precision"), only_if_not("learned_ranges")),
    bug="frames counted in bfloat16, which knows whole numbers up to 256",
)
def plan_in_half(subject: Subject, data: DurationRows) -> None:
    """In bfloat16 a long row has the frames of the same phonemes as in float64."""
    half = subject.probe.on(subject.build().to(torch.bfloat16), torch.bfloat16)
    exact, rounded = (_shares(subject, data, probe)[0] for probe in (subject.probe, half))
    off = float((exact - rounded.double()).detach().abs().max())
    assert off < 0.02, f"shares of phonemes must be the same in bfloat16, not off {off:.3g}"


@regulator_check(
    "blends",
    cases=DURATIONS.of(DurationRows(((3, 2, 4),))),
    skip=only_if("blends", "does not declare `blends`"),
    bug="a declaration that is no longer true",
)
def blends(subject: Subject, data: DurationRows) -> None:
    """A regulator that declares `blends` makes some frame of more than one phoneme."""
    blend, _, _ = _shares(subject, data)
    assert bool(((blend > 1e-9) & (blend < 1 - 1e-9)).any()), (
        "each frame is of one phoneme, so the regulator must not declare `blends`"
    )


@regulator_check(
    "ranges-are-learned",
    cases=DURATIONS.of(DurationRows(((3, 2, 4),))),
    skip=only_if("learned_ranges", "does not declare `learned_ranges`"),
    bug="a declaration that is no longer true",
)
def ranges_are_learned(subject: Subject, data: DurationRows) -> None:
    """With a regulator that declares `learned_ranges` other vectors reach otherwise."""
    first, other = (_shares(subject, data, stream=stream)[0] for stream in (0, 6))
    off = float((other - first).detach().abs().max())
    assert off > tolerance_of(first), (
        "other vectors give the same shares, so the regulator must not declare `learned_ranges`"
    )
