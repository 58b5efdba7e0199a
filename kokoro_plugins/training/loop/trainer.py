"""The `Trainer` of Lightning, set up so that our own loop of steps decides when it ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.io import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from kokoro_core.kernels import cpu
from kokoro_plugins.training.loop.random_states import undrawn
from kokoro_plugins.training.loop.task import Task
from kokoro_plugins.training.processes.launch import launch_of
from kokoro_plugins.training.settings import Precision, TrainingSettings

GRADIENT_CLIP = 1.0


def make_trainer(
    settings: TrainingSettings,
    callbacks: Sequence[Callback],
    task: Task,
    files: CheckpointIO | None = None,
) -> Trainer:
    """Return a trainer that runs until the module stops it and writes no file of its own.

    Args:
        settings: How to train.
        callbacks: Follow the training.
        task: What is trained.
        files: Where it is saved.
    """
    quieten()
    return Trainer(
        accelerator=settings.device,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=several_processes(task) if settings.processes > 1 else "auto",
        precision="bf16-mixed" if use_bf16(settings.precision, settings.device) else "32-true",
        max_epochs=-1,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=GRADIENT_CLIP,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
        plugins=[*([] if files is None else [files]), *environment()],
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def several_processes(task: Task) -> DDPStrategy:
    """Return how processes work together: gradients are averaged while they are computed.

    Tables, such as those of positions, are alike in all processes and stay where they are; what a
    batch normalisation keeps count of is the first process's.

    Args:
        task: What is trained.
    """
    known = signature(DistributedDataParallel).parameters
    renamed = "forward_sync_buffers"  # in torch 2.13
    name = renamed if renamed in known else "broadcast_buffers"
    with undrawn():
        idle = task.has_idle_parts()
    options: dict[str, Any] = {name: keeps_count(task.trained), "find_unused_parameters": idle}
    return DDPStrategy(**options)


def keeps_count(model: nn.Module) -> bool:
    """Return whether a model saves more than its parameters, such as what a norm has counted."""
    return len(model.state_dict()) > len([*model.parameters()])


def environment() -> list[SLURMEnvironment]:
    """Return SLURM's environment without what Lightning adds: it would save and requeue by itself.

    What else there is, such as torchrun's, Lightning finds and leaves as it is.
    """
    launch = launch_of()
    started = launch is not None and launch.launcher == "SLURM"
    return [SLURMEnvironment(auto_requeue=False)] if started else []


def quieten() -> None:
    """Silence everything that Lightning logs below a warning."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def use_bf16(precision: Precision, device: str) -> bool:
    """Return whether to compute in bfloat16.

    On a CPU without instructions for it bfloat16 is emulated and slower than float32.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available() and device in ("auto", "cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return trains_on_cpu(device) and cpu.processor().bfloat16_instructions


def trains_on_cpu(device: str) -> bool:
    """Return whether training on a device, by its name, is training on a CPU."""
    others = torch.cuda.is_available() or torch.backends.mps.is_available()
    return device == "cpu" or (device == "auto" and not others)
