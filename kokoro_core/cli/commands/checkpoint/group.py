"""The group ``checkpoint`` and the arguments of its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.session import session_of
from kokoro_core.cli.toolkit import JsonOption, SetOption

checkpoint = typer.Typer(
    name="checkpoint",
    help="Inspect, verify, compare, convert and import checkpoints, and attach vocoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

PathArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="A file, the index of several, a step directory, or a folder with one of them.",
        show_default=False,
    ),
]


@checkpoint.command()
def inspect(
    ctx: typer.Context,
    path: PathArgument,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a checkpoint's content; reads no weights and imports no torch."""
    from kokoro_core.cli.commands.checkpoint.inspect import inspect as run

    run(path, session_of(ctx).plugins, tensors=tensors, as_json=as_json)


@checkpoint.command()
def verify(ctx: typer.Context, path: PathArgument, as_json: JsonOption = False) -> None:
    """Compare every byte with the hashes; exit with 1 if something is damaged."""
    from kokoro_core.cli.commands.checkpoint.verify import verify as run

    run(path, session_of(ctx).plugins, as_json=as_json)


@checkpoint.command()
def diff(
    ctx: typer.Context,
    a: Annotated[Path, typer.Argument(metavar="A", help="A checkpoint.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    as_json: JsonOption = False,
) -> None:
    """Show how two checkpoints differ in settings, tensors and values."""
    from kokoro_core.cli.commands.checkpoint.diff import diff as run

    run(a, b, session_of(ctx).plugins, as_json=as_json)


@checkpoint.command()
def convert(
    ctx: typer.Context,
    path: PathArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    dtype: Annotated[
        str | None,
        typer.Option(help="Floating type of the copy: float32, bfloat16, float16 or float64."),
    ] = None,
    max_shard_bytes: Annotated[
        int | None, typer.Option(min=1, help="Split more bytes than this over several files.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a copy: with a content hash, in one file or several, in another precision."""
    from kokoro_core.cli.commands.checkpoint.convert import convert as run

    run(
        path,
        out,
        session_of(ctx).plugins,
        dtype=dtype,
        max_shard_bytes=max_shard_bytes,
        force=force,
        as_json=as_json,
    )


OutArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[OUT]", help="The file to write; none: CHECKPOINT is replaced."),
]


@checkpoint.command()
def attach(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A model.")],
    vocoder: Annotated[
        Path,
        typer.Argument(
            metavar="VOCODER", help="A file of `train-vocoder`, or a checkpoint that has one."
        ),
    ],
    out: OutArgument = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a vocoder with its weights into a checkpoint, whose spec names it from then on."""
    from kokoro_core.cli.commands.checkpoint.attaching import attach as run

    run(path, vocoder, out, session_of(ctx).plugins, force=force, as_json=as_json)


@checkpoint.command()
def detach(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A model with a vocoder.")],
    out: OutArgument = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take the weights of its vocoder out of a checkpoint."""
    from kokoro_core.cli.commands.checkpoint.attaching import detach as run

    run(path, out, session_of(ctx).plugins, force=force, as_json=as_json)


@checkpoint.command("import")
def import_(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="An importer: `kokoro-core components importer`.")
    ],
    folder: Annotated[
        Path, typer.Argument(help="A folder with config.json and model.safetensors.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    settings: SetOption = None,
    tensors: Annotated[
        bool, typer.Option("--tensors", help="List every tensor, not a line for all layers.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a checkpoint that others published into one of ours: every tensor placed, or named."""
    from kokoro_core.cli.commands.checkpoint.importing import import_checkpoint as run

    run(
        name,
        folder,
        out,
        session_of(ctx).plugins,
        settings=settings or [],
        tensors=tensors,
        force=force,
        as_json=as_json,
    )
