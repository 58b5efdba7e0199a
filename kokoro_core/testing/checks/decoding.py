"""Promises of decoders: causality, and that steps equal one parallel pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kokoro_core.contracts import AutoregressiveDecoder, ParallelDecoder
from kokoro_core.testing.check import Check, first_reason, only_if
from kokoro_core.testing.checks.long import run_or_refusal
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONCE, Nothing
from kokoro_core.testing.data.compare import assert_same, must_raise, tolerance_of
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.probes.decoders import begin_decoding, teacher_frames
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.walks.relay import RELAYS, Relay, RelayWalk
from kokoro_core.testing.walks.scripts import DECODINGS, STEPS
from kokoro_core.testing.walks.walk import Decoding, Move, Walk, walk

decoder_check = partial(Check, slots=("decoder",))


def _parallel(subject: Subject) -> str | None:
    made_in_steps = isinstance(subject.component, AutoregressiveDecoder)
    return None if made_in_steps else "it makes all frames at once"


@decoder_check(
    "causality",
    cases=BATCHES,
    skip=_parallel,
    bug="magvit2-pytorch PR#27, nanochat#844: a frame that knows itself",
)
def causality(subject: Subject, batch: RaggedBatch) -> None:
    """A frame is made without itself and later ones, and with the group before it."""
    probe = subject.probe
    inputs = probe.inputs(RaggedBatch(batch.lengths[:2], batch.extra, batch.seed))
    before, after = probe.run(inputs), _each_frame_changed(probe, inputs)
    for frame in range(before.padding_mask.shape[1]):
        rows = slice(frame * inputs.rows, (frame + 1) * inputs.rows)
        changed = Outputs({name: each[rows] for name, each in after.items()}, before.padding_mask)
        _assert_causal(before, changed, frame, probe.component.reduction_factor)


def _each_frame_changed(probe: Probe, inputs: Inputs) -> dict[str, torch.Tensor]:
    """Return the outputs for copies of a batch, in each of which one frame is changed."""
    width = inputs.tensors["mel_specs"].shape[1]
    copies = inputs.select([row for _ in range(width) for row in range(inputs.rows)])
    # (T, T) -> (T · B, T, 1)
    one = torch.eye(width, dtype=probe.dtype).repeat_interleave(inputs.rows, 0).unsqueeze(2)
    return dict(probe.run(copies.changed(mel_specs=copies.tensors["mel_specs"] + one)).tensors)


def _assert_causal(before: Outputs, after: Outputs, frame: int, group: int) -> None:
    first = (frame // group + 1) * group
    for name, tensor in before.tensors.items():
        promise = f"`{name}` must not know frame {frame} before step {first}"
        assert_same(after.tensors[name][:, :first], tensor[:, :first], promise)
    if (frame + 1) % group == 0:
        step = slice(first, first + group)
        change = (after.tensors["mel"] - before.tensors["mel"])[:, step].detach().abs().amax(2)
        valid = ~before.padding_mask[:, step]
        limit = tolerance_of(before.tensors["mel"])
        assert bool((change[valid] > limit).all()), f"step {first} must know frame {frame}"


@decoder_check(
    "infer-equals-forward",
    cases=BATCHES,
    skip=lambda subject: (
        None
        if isinstance(subject.component, ParallelDecoder)
        else "it makes frames in steps; `step-equals-forward` is its check"
    ),
    bug="a decoder that is told its target in training, and is lost without it",
)
def infer_equals_forward(subject: Subject, batch: RaggedBatch) -> None:
    """A parallel decoder without losses of its own makes from memory alone what training makes."""
    outputs = subject.probe.run(subject.probe.inputs(batch))
    if not outputs.losses:
        promise = "`mel` must be what `infer` makes, which is not told the target"
        assert_same(outputs.tensors["mel"], outputs.tensors["inferred"], promise)


@decoder_check(
    "step-equals-forward",
    cases=STEPS,
    skip=_parallel,
    bug="transformers#18104, fla#766, onnxruntime-genai PR#2354: positions or caches one off",
)
def step_equals_forward(subject: Subject, data: Decoding) -> None:
    """Frames made group by group, from a zero frame on, are those of one parallel pass."""
    walk(subject.probe, data)


@decoder_check(
    "chunks-and-forks",
    cases=DECODINGS,
    skip=first_reason(_parallel, only_if("chunked_steps"), only_if("forkable")),
    bug="fairseq#3908, unsloth#3699, transformers#37574: right for one step, wrong for a chunk",
)
def chunks_and_forks(subject: Subject, data: Decoding) -> None:
    """Steps of any size, and rows forked, reordered and dropped on the way, change nothing."""
    walk(subject.probe, data)


def _replaces_no_rows(subject: Subject) -> str | None:
    if subject.component.replaces_rows:
        return None
    return "`replaces_rows` says that rows which end wait for the others"


@decoder_check(
    "rows-make-place",
    cases=RELAYS,
    since=2,
    skip=first_reason(_parallel, _replaces_no_rows, only_if("chunked_steps"), only_if("forkable")),
    bug="omlx PR#2201: frames written where the longest row had ended, once that row had left",
)
def rows_make_place(subject: Subject, data: Relay) -> None:
    """A row that takes the place of one that ended, and its neighbours, go on as they do alone."""
    if run_or_refusal(subject, data.batch) is not None:
        RelayWalk(subject.probe, data).run()


def _no_limits(subject: Subject) -> str | None:
    declared = subject.capabilities
    return "it has no limits" if declared.chunked_steps and declared.forkable else None


@decoder_check(
    "limits-are-said",
    cases=ONCE,
    skip=first_reason(_parallel, _no_limits),
    bug="fairseq#1686: incremental state that is not used, and nobody is told",
)
def limits_are_said(subject: Subject, data: Nothing) -> None:
    """A decoder that declares `chunked_steps=False` or `forkable=False` raises when asked."""
    asked = {"chunked_steps": Move("step", 2), "forkable": Move("fork", rows=(0,))}
    for name, move in asked.items():
        if getattr(subject.capabilities, name):
            continue
        otherwise = f"it must raise, or not declare `{name}=False`"
        with must_raise(ValueError, NotImplementedError, otherwise=otherwise):
            Walk(subject.probe, RaggedBatch((6, 4))).move(move)


@decoder_check(
    "step-cost",
    cases=ONCE,
    skip=_parallel,
    bug="the whole past computed again for every frame: 40 ms a frame at 100 frames, 184 at 400",
)
def step_cost(subject: Subject, data: Nothing) -> None:
    """A late step puts as many rows through its weights as an early one, and costs little more."""
    counts = []
    state, frames = _begun(subject, RaggedBatch((48,)))
    for piece in frames:
        with _Counting() as counting, torch.no_grad():
            subject.component.step(piece, state)
        counts.append((counting.rows, counting.numbers))
    (early_rows, early), (late_rows, late) = counts[1], counts[-1]
    assert late_rows <= early_rows, (
        f"step {len(counts)} must put as many rows through its weights as step 2: "
        f"{late_rows}, not {early_rows}"
    )
    assert late <= 12 * early, (
        f"step {len(counts)} must cost little more than step 2: "
        f"it makes {late:,} numbers, not {early:,}"
    )


def _begun(subject: Subject, batch: RaggedBatch) -> tuple[Any, list[torch.Tensor]]:
    inputs = subject.probe.inputs(batch)
    fed = teacher_frames(subject.probe, inputs)
    state = begin_decoding(subject.probe, inputs, fed.shape[1])
    return state, list(torch.split(fed, subject.component.reduction_factor, 1))


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts rows that are multiplied with weights, and numbers that are computed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rows = 0
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm"):
            self.rows += args[-2].shape[0]
        if isinstance(result, torch.Tensor) and not _is_view(result, args):
            self.numbers += result.numel()
        return result


def _is_view(result: torch.Tensor, args: Any) -> bool:
    place = result.untyped_storage().data_ptr()
    tensors = [each for each in args if isinstance(each, torch.Tensor)]
    return any(each.untyped_storage().data_ptr() == place for each in tensors)


@decoder_check(
    "room",
    cases=ONCE,
    skip=_parallel,
    bug="transformers#37574, ming024/FastSpeech2#147: a full cache that wraps, or frames cut off",
)
def room(subject: Subject, data: Nothing) -> None:
    """A step beyond the room that was asked for raises, or is as right as any other."""
    probe = subject.probe
    inputs = probe.inputs(RaggedBatch((8,)))
    group = probe.component.reduction_factor
    # capacity for part of a group is capacity for the whole group
    state = begin_decoding(probe, inputs, group + 1)
    expected = probe.run(inputs).tensors["mel"]
    for number, piece in enumerate(torch.split(teacher_frames(probe, inputs), group, 1)[:4]):
        try:
            mel, _ = probe.component.step(piece, state)
        except (ValueError, IndexError, RuntimeError):
            assert number >= 2, "there must be room for as many frames as were asked for"
            return
        first = number * group
        promise = f"frame {first} must be right, or refused for lack of room"
        assert_same(mel, expected[:, first : first + group], promise)
