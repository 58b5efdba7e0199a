"""Memory of a training step, by segments of gradient checkpointing."""

from __future__ import annotations

from collections.abc import Callable

from kokoro_core.cost.live_bytes import peak_bytes
from kokoro_core.model import TrainingBatch
from kokoro_core.model.assembly import set_segments
from kokoro_plugins.bench.peers.contract import random_batch
from kokoro_plugins.bench.peers.ours import OurTraining, our_model
from kokoro_plugins.bench.results import CaseResult, Measurement
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, take_turns

LEFT_AT: dict[int, float] = {4: 0.40, 6: 0.25}
"""The most that may be left of the activation peak: −60 % at 4 segments, −75 % at 6."""


def measure(scale: Scale, threads: int) -> CaseResult:
    """Count the peak of each number of segments once, which repeats to the byte, and time them."""
    rows, frames = scale.memory
    result = CaseResult("memory", f"gradient checkpointing, {rows} rows of {frames} frames")
    batch = random_batch(scale.model, rows=rows, frames=frames)
    trainer = OurTraining(our_model(scale.model))
    steps = {segments: _step(trainer, batch, segments) for segments in scale.segments}
    next(iter(steps.values()))()  # from now on gradients are there and are not counted
    peaks = {segments: peak_bytes(step) for segments, step in steps.items()}
    contenders = {name_of(segments): Contender(step) for segments, step in steps.items()}
    timings = take_turns(contenders, rounds=scale.rounds, block_seconds=0.0)
    setting = {"threads": threads, "rows": rows, "frames": frames}
    for segments, peak in peaks.items():
        name, left = name_of(segments), peak / peaks[None]
        facts = {"peak_mib": peak / 2**20, "left": left}
        result.measurements.append(Measurement(name, setting, timings[name], facts))
        if segments in LEFT_AT:
            what = f"{name} / {name_of(None)}"
            bar = LEFT_AT[segments]
            result.judge(f"activation peak, {what}", left, "at most", bar, setting)
            slower = timings[name].median / timings[name_of(None)].median
            result.judge(f"time, {what}", slower, "at most", 1.35, setting)
    result.notes.append(
        "The peak is of the tensors that live in a step beyond weights and gradients."
    )
    return result


def name_of(segments: int | None) -> str:
    """Return how tables call a number of segments."""
    if segments is None:
        return "no checkpointing"
    return f"{segments} segment{'' if segments == 1 else 's'}"


def _step(trainer: OurTraining, batch: TrainingBatch, segments: int | None) -> Callable[[], None]:
    """Return a training step with so many segments; all of them are of one model."""

    def step() -> None:
        set_segments(trainer.module, segments)
        trainer.module.zero_grad(set_to_none=False)
        trainer.loss(batch).backward()  # type: ignore[no-untyped-call]

    return step
