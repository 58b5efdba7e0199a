"""The command ``graph``: the composed model as a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.checking import SetOption, SpecArgument, load_with
from kokoro_core.cli.session import session_of


class Format(StrEnum):
    """How a graph can be written."""

    mermaid = "mermaid"
    svg = "svg"


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
    from kokoro_core.spec.drawing import mermaid, svg
    from kokoro_core.spec.graph import model_graph

    session = session_of(ctx)
    loaded = load_with(spec, override, session)
    made = model_graph(loaded, session.plugins.components)
    if form is None:
        form = Format.svg if out is not None and out.suffix == ".svg" else Format.mermaid
    text = svg(made, loaded.name) if form is Format.svg else mermaid(made)
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
