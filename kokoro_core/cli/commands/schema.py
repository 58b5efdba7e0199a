"""The command ``schema``: a JSON Schema of spec files for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.output import print_json, write_file
from kokoro_core.cli.session import session_of


def schema(
    ctx: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file instead of printing it.")
    ] = None,
) -> None:
    """Print the JSON Schema of specs, with the components of the installed plugins; no torch."""
    import json

    from kokoro_core.spec.views.schema import schema as make_schema

    made = make_schema(session_of(ctx).plugins)
    if out is None:
        print_json(made)
        return
    write_file(out, json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    print(
        f"{out} written; editors with a YAML language server read it from a first line such as\n"
        f"# yaml-language-server: $schema={out.name}"
    )
