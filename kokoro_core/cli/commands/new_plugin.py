"""The command ``new-plugin``: writes a package that installs, passes its tests and type checks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.session import session_of
from registry.names import with_article


def new_plugin(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The package, such as acme-gated.")],
    slot: Annotated[
        str,
        typer.Option(
            help="What it is: any slot, such as encoder or corpus, or parallel_decoder or "
            "neural_vocoder."
        ),
    ],
    component: Annotated[
        str | None,
        typer.Option("--type", help="The component's name in a spec; NAME with `_` if not given."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder; NAME if not given.")] = None,
) -> None:
    """Write a plugin with one working component, its tests and its packaging."""
    from kokoro_core.scaffold.new_plugin import Names, check_names, plugin_files

    names = Names(name, name.replace("-", "_") if component is None else component)
    check_names(names, slot, session_of(ctx).plugins)
    folder = out or Path(name)
    write_new(folder, plugin_files(names, slot))
    print(f"{folder}: {with_article(slot)} named `{names.distribution}/{names.component}`. Next:")
    print(f"  python -m pip install -e '{folder}[test]' && python -m pytest {folder}")


def write_new(folder: Path, texts: dict[str, str]) -> None:
    """Write files into a new folder: all of them, or no folder at all.

    Raises:
        FileExistsError: The folder exists.
        FileNotFoundError: The parent folder does not exist.
    """
    if os.path.lexists(folder):
        raise FileExistsError(f"`{folder}` exists; `--out` names a folder that does not.")
    if not folder.absolute().parent.is_dir():
        raise FileNotFoundError(f"`{folder}`: the folder `{folder.parent}` does not exist.")
    new = folder.with_name(f".{folder.name[:100]}.{os.getpid()}.new")
    try:
        for path, text in texts.items():
            file = new / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
