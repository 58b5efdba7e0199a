"""The command ``graph``: the composed model as a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.output import print_file, write_file
from kokoro_core.cli.session import session_of
from kokoro_core.cli.toolkit import SetOption, SpecArgument, load_with


class Format(StrEnum):
    """How a graph can be written."""

    mermaid = "mermaid"
    svg = "svg"


_SUFFIXES = {".mmd": Format.mermaid, ".mermaid": Format.mermaid, ".svg": Format.svg}


def graph(
    ctx: typer.Context,
    spec: SpecArgument,
    override: SetOption = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="By default what the suffix of --out says, else mermaid."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file instead of printing it.")
    ] = None,
) -> None:
    """Draw a model: its parts, what flows between them and its shape; imports no torch."""
    from kokoro_core.spec.views.drawing import mermaid, svg
    from kokoro_core.spec.views.graph import model_graph

    if form is not None and out is not None and _SUFFIXES.get(out.suffix, form) is not form:
        raise typer.BadParameter(
            f"--out {out} and --format {form.value} contradict each other; leave one of them out"
        )
    form = form or _format_of(out)
    session = session_of(ctx)
    loaded = load_with(spec, override, session)
    made = model_graph(loaded, session.plugins.components)
    text = svg(made, loaded.name) if form is Format.svg else mermaid(made)
    if out is None:
        print_file(text)
    else:
        write_file(out, text)


def _format_of(out: Path | None) -> Format:
    """Return how a graph is written to a file.

    Raises:
        BadParameter: Its suffix is that of something else.
    """
    if out is None:
        return Format.mermaid
    if out.suffix not in _SUFFIXES:
        raise typer.BadParameter(
            f"--out {out}: a graph can be written as {', '.join(_SUFFIXES)}; with another suffix "
            f"--format says which"
        )
    return _SUFFIXES[out.suffix]
