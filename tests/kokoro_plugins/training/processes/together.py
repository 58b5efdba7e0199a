"""What several processes run in the tests: tiny trainings in float64, and what befalls them."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from kokoro_core import KokoroModel, load_spec
from kokoro_plugins.training.commands.ending import ending_together
from kokoro_plugins.training.fit import fit, fit_task, seed_everything
from kokoro_plugins.training.into_folder import written_at_the_end
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget, TimeBudget
from kokoro_plugins.training.loop.task import SpeechTask
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.processes.group import is_first_process
from kokoro_plugins.training.settings import Saving, TrainingSettings
from tests.kokoro_plugins.training.jobs import SPEC, meet, tiny_data

MELS = {"not a number": torch.nan, "too large": 3e38}
"""What the numbers of a mel become; sums of the latter are none either."""

STILL = {"encoder.dropout": 0.0, "decoder.dropout": 0.0, "decoder.teacher_mask": 0.0}


def in_place(rank: int, processes: int, meeting: str) -> None:
    """Meet the others, if there are any."""
    if processes > 1:
        meet(rank, processes, meeting)


def wrap(method: str, before: Callable[[TrainingModule, Any], Any]) -> None:
    """Let a function change each batch that a method of the training is given."""
    original = getattr(TrainingModule, method)

    def wrapped(self: TrainingModule, batch: Any, index: int) -> Any:
        return original(self, before(self, batch), index)

    setattr(TrainingModule, method, wrapped)


def exact(rank: int, processes: int, meeting: str, out: str, accumulate: int, **how: Any) -> None:
    """Train in float64 without dropout, and leave the weights and losses of each process."""
    in_place(rank, processes, meeting)
    for method in ("training_step", "validation_step"):
        wrap(method, lambda _, b: dataclasses.replace(b, mel_specs=b.mel_specs.double()))
    seed_everything(3)
    model = KokoroModel.from_spec(load_spec(SPEC, overrides=STILL)).double()
    settings = TrainingSettings(
        warmup_steps=2,
        validate_every=7,
        accumulate=accumulate,
        devices=processes,
        device="cpu",
        precision="32",
        **how,
    )
    task = SpeechTask(model)  # `fit` would try lengths in float32
    history = fit_task(task, tiny_data(), StepBudget(20), settings)
    save_file(model.state_dict(), f"{out}-{rank}.safetensors")
    write_json(Path(f"{out}-{rank}.json"), history.as_dict())


def clocks(rank: int, processes: int, meeting: str, out: str) -> None:
    """Train by the clock, which goes faster in every process than in the one before."""
    in_place(rank, processes, meeting)
    seed_everything(3)
    model = KokoroModel.from_spec(SPEC)
    budget = TimeBudget(1 / 60, clock=lambda: (1 + 5 * rank) * time.monotonic())
    settings = TrainingSettings(devices=processes, device="cpu", precision="32")
    history = fit(model, tiny_data(), budget, settings)
    save_file(model.state_dict(), f"{out}-{rank}.safetensors")
    write_json(Path(f"{out}-{rank}.json"), history.as_dict())


def command(
    rank: int,
    processes: int,
    meeting: str | None,
    out: str,
    *,
    steps: int = 9,
    at: dict[str, Any] | None = None,
    batches: str | None = None,
    seeds: list[int] | None = None,
    skip: int = 0,
    nodes: int = 1,
    slurm: bool = False,
    **saving: Any,
) -> None:
    """Train into a folder and end as the command does.

    Args:
        rank: Of this process.
        processes: As many there are.
        meeting: The file that they meet at; None: a launcher has told them where.
        out: The folder.
        steps: When it ends.
        at: At a step of one of the processes, a signal to it or a loss that is no number.
        batches: Beginning of the names of files that get the phonemes of each batch.
        seeds: Of the data of each process.
        skip: As many bad steps in a row are passed over.
        nodes: As many machines there seem to be.
        slurm: Whether SLURM seems to have started them.
        saving: Further settings of it.
    """
    if meeting is not None:
        in_place(rank, processes, meeting)
    if slurm:
        os.environ |= of_slurm(rank, processes, nodes)
    if at is not None and at.pop("rank") == rank:
        wrap("training_step", befalling(**at))
    if batches is not None:
        wrap("training_step", noting(Path(f"{batches}-{rank}.jsonl")))
    seed_everything(0)
    model = KokoroModel.from_spec(SPEC)
    folder, history = Path(out), History()
    settings = TrainingSettings(
        validate_every=4,
        devices=max(1, processes // nodes),
        nodes=nodes,
        device="cpu",
        precision="32",
        skip_bad_steps=skip,
    )

    def write() -> None:
        model.save(folder / "model.safetensors")
        write_json(folder / "losses.json", history.as_dict())

    with ending_together(), written_at_the_end(folder, write):
        fit(
            model,
            tiny_data(seed=(seeds or [0] * processes)[rank]),
            StepBudget(steps),
            settings,
            saving=Saving(folder / "steps", **{"every": 2, "keep_last": 100, **saving}),
            history=history,
        )
    print(f"process {rank} is the first: {is_first_process()}")


def of_slurm(rank: int, processes: int, nodes: int) -> dict[str, str]:
    """Return the variables of a task, as `srun` sets them."""
    each = processes // nodes
    values = {
        "JOB_NAME": "voice",
        "JOB_ID": "1",
        "NTASKS": processes,
        "NTASKS_PER_NODE": each,
        "NNODES": nodes,
        "PROCID": rank,
        "LOCALID": rank % each,
        "NODEID": rank // each,
    }
    return {f"SLURM_{name}": str(value) for name, value in values.items()}


def befalling(*, step: int, what: str) -> Callable[[TrainingModule, Any], Any]:
    """Return what sends a signal, or makes the mel of a batch another one, in a step from 1."""

    def befall(module: TrainingModule, batch: Any) -> Any:
        if module.step + 1 != step:
            return batch
        if what in MELS:
            mels = torch.full_like(batch.mel_specs, MELS[what])
            return dataclasses.replace(batch, mel_specs=mels)
        os.kill(os.getpid(), signal.Signals[what])
        return batch

    return befall


def noting(path: Path) -> Callable[[TrainingModule, Any], Any]:
    """Return what writes the phonemes of each batch, a line each."""

    def note(module: TrainingModule, batch: Any) -> Any:
        with path.open("a", encoding="utf-8") as file:
            rows = batch.phoneme_indices[:, :4].tolist()
            file.write(json.dumps({"step": module.step, "rows": rows}) + "\n")
        return batch

    return note


def launched(out: str, arguments: str) -> None:
    """Train in a process that torchrun has started."""
    torch.set_num_threads(1)
    rank, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    command(rank, processes, None, out, **json.loads(arguments))


if __name__ == "__main__":
    launched(*sys.argv[1:])
