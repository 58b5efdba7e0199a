"""What a training costs on machines that are not here: arithmetic, with every assumption named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kokoro_core import ModelSpec
from kokoro_core.cost.estimate import STATES_OF_ADAMW, Workload, multiply_adds, training_memory
from kokoro_core.model.assembly import assemble

FLOATS = 4
"""Bytes of a number in float32: mels, weights, gradients and averages of them."""

PASSES = 3
"""A step multiplies for the output, the gradient of the input and that of the weights.

With `gradient_checkpointing` it computes outputs once more.
"""

TYPICAL = Workload(rows=1, phonemes=100, frames=600)
"""The utterance that is counted: seven seconds; a longer one has more attention to a frame."""


@dataclass(frozen=True)
class Cluster:
    """Machines, each with as many devices.

    Attributes:
        nodes: Machines.
        devices: Of each.
        flops: Of a device in a second at its best, by its data sheet.
        utilisation: The share of it that a step reaches.
        link: Bytes in a second that a device sends to the next one, while it receives as many.
        read: Bytes of mels in a second that a machine makes batches of, all its processes together.
        disk: Bytes in a second that a saved step is written with.
    """

    nodes: int
    devices: int
    flops: float
    utilisation: float
    link: float
    read: float
    disk: float

    @property
    def processes(self) -> int:
        """All devices."""
        return self.nodes * self.devices


@dataclass(frozen=True)
class Course:
    """How a corpus is gone through.

    Attributes:
        hours: Of speech.
        epochs: How often all of it is read.
        batch_frames: Of each process in a step, padding included.
        padding: The share of them that is padding.
        waiting: The share of a step that a process waits for the slowest one.
        save_every: Steps between two saves.
    """

    hours: float
    epochs: int
    batch_frames: int
    padding: float
    waiting: float
    save_every: int


@dataclass(frozen=True)
class Plan:
    """What it comes to.

    Attributes:
        frames: Of the corpus.
        mel_bytes: Of its mels.
        parameters: Of the model.
        flops_per_frame: Of a training step, without padding.
        flops: Of the whole training.
        steps: Of the whole training.
        memory: Bytes of a device in a step, an upper bound: as on a CPU, in float32.
        exchanged: Bytes that each device sends in a step.
        compute_seconds: Of a step.
        exchange_seconds: Of a step.
        read_seconds: Of a step.
        saved: Bytes of a saved step.
        save_seconds: In which it is written.
        hours: Of the whole training, if computing, exchange and reading hide each other.
        hours_in_turn: The same if they take turns.
    """

    frames: float
    mel_bytes: float
    parameters: int
    flops_per_frame: float
    flops: float
    steps: float
    memory: float
    exchanged: float
    compute_seconds: float
    exchange_seconds: float
    read_seconds: float
    saved: int
    save_seconds: float
    hours: float
    hours_in_turn: float


def plan(spec: ModelSpec, course: Course, cluster: Cluster) -> Plan:
    """Return what the training of a spec's model costs.

    Args:
        spec: It has audio.
        course: How a corpus is gone through.
        cluster: On what.

    Raises:
        ValueError: The spec has no audio.
    """
    if spec.audio is None:
        raise ValueError(f"`{spec.name}` has no `audio`, which says how many frames an hour has.")
    counted = counted_of(spec, course.batch_frames)
    frames = course.hours * 3600 * spec.audio.sample_rate / spec.audio.hop_length
    valid = course.batch_frames * (1 - course.padding) * cluster.processes
    steps = course.epochs * frames / valid
    flops_of_step = counted["flops_per_frame"] * course.batch_frames
    compute = flops_of_step / (cluster.flops * cluster.utilisation) / (1 - course.waiting)
    exchanged = ring(counted["parameters"] * FLOATS, cluster.processes)
    exchange = exchanged / cluster.link
    read = valid * spec.mel_dim * FLOATS / (cluster.read * cluster.nodes)
    saved = counted["parameters"] * FLOATS * (1 + STATES_OF_ADAMW)
    save = saved / cluster.disk / course.save_every
    return Plan(
        frames=frames,
        mel_bytes=frames * spec.mel_dim * FLOATS,
        flops=counted["flops_per_frame"] * frames * course.epochs / (1 - course.padding),
        steps=steps,
        exchanged=exchanged,
        compute_seconds=compute,
        exchange_seconds=exchange,
        read_seconds=read,
        saved=saved,
        save_seconds=saved / cluster.disk,
        hours=steps * (max(compute, exchange, read) + save) / 3600,
        hours_in_turn=steps * (compute + exchange + read + save) / 3600,
        **counted,
    )


def counted_of(spec: ModelSpec, batch_frames: int) -> dict[str, Any]:
    """Return what is counted of a model: its parameters, and FLOP and memory of a step.

    Args:
        spec: Of the model.
        batch_frames: Of a process in a step.
    """
    model = assemble(spec, device="meta")
    passes = PASSES + (spec.gradient_checkpointing is not None)
    adds = sum(multiply_adds(model, spec, TYPICAL).values()) / TYPICAL.frames
    rows = max(1, round(batch_frames / TYPICAL.frames))
    workload = Workload(rows, TYPICAL.phonemes, TYPICAL.frames)
    return {
        "parameters": sum(each.numel() for each in model.parameters()),
        "flops_per_frame": 2 * passes * adds,
        "memory": training_memory(model, spec, workload)["total"],
    }


def ring(size: float, processes: int) -> float:
    """Return the bytes that each of several processes sends so that all have the sum of a size.

    Each part goes round once to be added up and once to be handed on (Patarasuk and Yuan, 2009).
    """
    return 2 * (processes - 1) / processes * size


def waiting(costs: Sequence[float], processes: int) -> float:
    """Return the share of a step in which a process waits for the slowest, on average.

    Args:
        costs: Of batches in the order in which they come.
        processes: As many batches are a step.
    """
    ends = range(processes, len(costs) + 1, processes)
    steps = [costs[end - processes : end] for end in ends]
    return 1 - sum(map(sum, steps)) / processes / sum(map(max, steps))
