"""The command ``profile``: where a model's time and memory go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.toolkit import (
    JsonOption,
    SetOption,
    SpecArgument,
    check_device,
    load_with,
    print_json,
    session_of,
)

MAX_PHONEMES = 1_000_000
"""The most phonemes of a batch; their frames alone take gigabytes in every layer."""


def profile(
    ctx: typer.Context,
    spec: SpecArgument,
    settings: SetOption = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows of the batch.")] = 2,
    phonemes: Annotated[int, typer.Option(min=1, help="Phonemes of a row.")] = 40,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    backward: Annotated[
        bool, typer.Option(help="Train a whole step, not the forward pass alone.")
    ] = True,
    trace: Annotated[
        Path | None, typer.Option(help="Write a Chrome trace here; makes the times longer.")
    ] = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Show components inside components as well.")
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="Show the layers of stacks as well.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where a model's time and memory go.

    The model of the spec, with random weights, takes one training step and speaks once, after one
    of each that is not measured. The batch is random, about six frames a phoneme.
    """
    session = session_of(ctx)
    plugins = session.plugins
    checked = load_with(spec, settings, session)
    check_device(device)
    check_sizes(batch, phonemes)
    check_trace(trace)
    from kokoro_plugins.profiler.gpu_profiler import GpuProfiler
    from kokoro_plugins.profiler.trial import build_trial, memory_errors

    profiler = GpuProfiler(trace=trace is not None, nested=nested, layers=layers, saved=True)
    with memory_errors():
        trial = build_trial(checked, plugins, rows=batch, phonemes=phonemes, device=device)
        trial.run(profiler, backward=backward)
    if trace is not None:
        profiler.export_trace(trace)
    if as_json:
        print_json({"trial": trial.report(), **profiler.report()})
    else:
        print(f"{trial}\n{profiler.table()}", end="")


def check_sizes(batch: int, phonemes: int) -> None:
    """Refuse a batch that no machine has memory for.

    Raises:
        ValueError: It is larger than `MAX_PHONEMES`.
    """
    if batch * phonemes > MAX_PHONEMES:
        raise ValueError(
            f"`--batch {batch}` times `--phonemes {phonemes}` must be {MAX_PHONEMES:,} or less; "
            f"batches of training have some hundreds."
        )


def check_trace(trace: Path | None) -> None:
    """Refuse a file that cannot be written, before any work is done for it.

    Raises:
        ValueError: Its folder does not exist, or it is a folder, a device or a pipe itself.
    """
    if trace is None:
        return
    if not trace.absolute().parent.is_dir():
        raise ValueError(f"`--trace {trace}`: the folder `{trace.parent}` does not exist.")
    if trace.is_symlink() and not trace.exists():
        raise ValueError(f"`--trace {trace}` is a link that leads nowhere; give another file.")
    if trace.exists() and not trace.is_file():
        # Torch writes another file and renames it, which would take the place of a device.
        there = "a folder" if trace.is_dir() else "a device or a pipe"
        raise ValueError(f"`--trace {trace}` must be a file, but it is {there}.")
