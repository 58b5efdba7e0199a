"""What must be the same for a training to go on to the bit, and what differs."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import torch
from lightning import Trainer

from kokoro_core.errors import CheckpointError
from kokoro_core.kernels import cpu
from kokoro_core.spec.views.resolve import resolve
from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.optimizers import depends_on_the_end
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.task import Task
from kokoro_plugins.training.settings import EVERY_STAGE, TrainingSettings, settings_by_flag

DISTRIBUTIONS = ("kokoro-core", "lightning", "numpy", "torch")

NOT_OF_THE_COURSE = ("precision", "device", "devices", "nodes", "skip_bad_steps")
"""Settings that no step of before may disagree with: the machine and the trainer say what the first
four come to, and bad steps change no weights."""

END = "settings.ends after"

WHY_THE_END_MATTERS = (
    "The learning rate falls along a cosine down to the end, so a training with another end would "
    "have had other rates from its first step on; to train longer than was planned add `--resume "
    "--inexact`, and the rate goes on along the new cosine."
)


class ResumeRefused(CheckpointError):
    """A training would not go on as it began; the message lists what differs."""


def conditions(module: TrainingModule, data: TrainingData, trainer: Trainer) -> dict[str, Any]:
    """Return everything that the course of a training depends on, as values that JSON has.

    What only decides how fast it is, such as the number of worker processes, is not in it.
    """
    settings = module.settings
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in DISTRIBUTIONS},
        },
        "machine": {
            "processor": processor_name(),
            "threads": torch.get_num_threads(),
            "device": device_name(trainer.strategy.root_device),
            "processes": trainer.num_devices * trainer.num_nodes,
        },
        "settings": {
            **settings_by_flag(settings, NOT_OF_THE_COURSE),
            "precision": str(trainer.precision),
            **_of_end(module.budget, settings, module.stages),
            **data.settings,
        },
        "data": {
            "utterances": len(data.training) + len(data.held_out),
            "fingerprint": data.fingerprint,
        },
        **_of_spec(module.task),
    }


def _of_end(
    budget: Budget, settings: TrainingSettings, stages: Collection[str] = (EVERY_STAGE,)
) -> dict[str, str]:
    """Return when the training ends, where that decides the learning rate."""
    return {"ends after": str(budget)} if depends_on_the_end(settings, stages) else {}


def processor_name() -> str:
    """Return the kind of the processor, with what torch uses of it."""
    return f"{platform.machine()} {cpu.processor().level}"


def device_name(device: torch.device) -> str:
    """Return the kind of a device, for a GPU with its model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words each value that differs between two conditions."""
    old, new = dict(leaves(before)), dict(leaves(now))
    return [
        f"`{name}` was {old.get(name, 'not set')} and is {new.get(name, 'not set')}"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]


def with_defaults(before: Mapping[str, Any]) -> dict[str, Any]:
    """Return saved conditions, completed with what was no condition yet when they were saved."""
    defaults = settings_by_flag(TrainingSettings(), NOT_OF_THE_COURSE)
    return {**before, "settings": {**defaults, **before.get("settings", {})}}


def refusal(path: object, found: list[str]) -> str:
    """Return why a training would not go on as it began, and what to do."""
    listed = "\n".join(f"- {each}" for each in found)
    advice = "Make them the same, or go on with `--inexact`."
    if any(each.startswith(f"`{END}`") for each in found):
        advice = f"{advice} {WHY_THE_END_MATTERS}"
    return (
        f"`{path}` was saved under other conditions, so that the training would not go on "
        f"to the bit:\n{listed}\n{advice}"
    )


def _of_spec(task: Task) -> dict[str, Any]:
    resolved = resolve(task.spec, task.plugins)
    origins = {each["path"]: f"{each['name']} {each['version']}" for each in resolved["components"]}
    return {"spec": resolved["spec"], "components": origins}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of nested ones with its path."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
