"""The command ``resolve``: a spec in full."""

from __future__ import annotations

import typer

from kokoro_core.cli.checking import JsonOption, SetOption, SpecArgument, load_with
from kokoro_core.cli.output import print_json, print_yaml
from kokoro_core.cli.session import session_of


def resolve(
    ctx: typer.Context,
    spec: SpecArgument,
    override: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a spec in full: every default, every inherited width, qualified names."""
    from kokoro_core.spec.resolve import resolve as resolve_spec

    session = session_of(ctx)
    resolved = resolve_spec(load_with(spec, override, session), session.plugins)
    if as_json:
        print_json(resolved)
    else:
        print_yaml(resolved["spec"])
