"""The command ``graph``: the composed model as a picture, or as text for other tools to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.output import print_file, write_file
from kokoro_core.cli.session import session_of
from kokoro_core.cli.toolkit import SetOption, SpecArgument, load_with

_SUFFIXES = {
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".svg": "svg",
}
_PICTURES = "Graphviz makes others: `kokoro-core graph SPEC --format dot | dot -Tpng > model.png`"


def graph(
    ctx: typer.Context,
    spec: SpecArgument,
    override: SetOption = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="mermaid|dot|svg",
            help="Default: by the suffix of --out, else mermaid.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file instead of printing it.")
    ] = None,
) -> None:
    """Draw a model as a graph: its parts and the tensors between them with shapes."""
    from kokoro_core.spec.views.drawing import dot, mermaid
    from kokoro_core.spec.views.graph import model_graph
    from kokoro_core.spec.views.picture import svg

    form = _checked(form)
    if form and out is not None and _SUFFIXES.get(out.suffix, form) != form:
        raise typer.BadParameter(
            f"--out {out} and --format {form} contradict each other; leave one of them out"
        )
    form = form or _format_of(out)
    session = session_of(ctx)
    loaded = load_with(spec, override, session)
    made = model_graph(loaded, session.plugins.components)
    draw = {"dot": dot, "svg": svg}
    text = mermaid(made) if form == "mermaid" else draw[form](made, loaded.name)
    if out is None:
        print_file(text)
    else:
        write_file(out, text)


def _checked(form: str | None) -> str | None:
    """Return a valid format.

    Raises:
        BadParameter: The format does not exist.
    """
    if form not in (None, *_SUFFIXES.values()):
        raise typer.BadParameter(f"--format {form}: write mermaid, dot or svg. {_PICTURES}")
    return form


def _format_of(out: Path | None) -> str:
    """Return the format for a file.

    Raises:
        BadParameter: Its suffix belongs to no format.
    """
    if out is None:
        return "mermaid"
    if out.suffix not in _SUFFIXES:
        raise typer.BadParameter(
            f"--out {out}: a graph can be written as {', '.join(_SUFFIXES)}; with another suffix "
            f"--format says which. {_PICTURES}"
        )
    return _SUFFIXES[out.suffix]
