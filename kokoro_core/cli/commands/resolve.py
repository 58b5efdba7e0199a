"""The command ``resolve``: a spec in full, and the origin of each value."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.output import print_file, print_json, print_note, print_yaml, write_yaml
from kokoro_core.cli.session import Session, session_of
from kokoro_core.cli.toolkit import JsonOption, SetOption, SpecArgument

if TYPE_CHECKING:
    from kokoro_core.spec.text.document import Document
    from kokoro_core.spec.tree.model_spec import ModelSpec
    from kokoro_core.spec.views.provenance import Origin

_ONE_LINE = 40


def resolve(
    ctx: typer.Context,
    spec: SpecArgument,
    override: SetOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add a comment with the origin of each value.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a spec in full: every default, every inherited width, qualified names."""
    from kokoro_core.spec.views.provenance import provenance
    from kokoro_core.spec.views.resolve import resolve as resolve_spec
    from kokoro_core.spec.views.resolve import spec_hash

    session = session_of(ctx)
    document, loaded = checked_document(spec, override, session)
    resolved = resolve_spec(loaded, session.plugins)
    digest = spec_hash(loaded, session.plugins)
    for line in () if as_json else document.notes:
        print_note(line)
    if not (explain or as_json):
        print_yaml(resolved["spec"])
        return
    origins = provenance(document, loaded, resolved["spec"])
    if as_json:
        said = {path: each.as_dict() for path, each in origins.items()}
        print_json({**resolved, "hash": digest, "provenance": said, "notes": document.notes})
    else:
        print_file(f"# sha256 {digest}\n{explained(resolved['spec'], origins)}")


def checked_document(
    source: str, settings: list[str] | None, session: Session
) -> tuple[Document, ModelSpec]:
    """Return the document of an argument with overrides applied, and its spec.

    Raises:
        SpecError: The spec or an override has problems.
        FileNotFoundError: The file does not exist.
        UnknownNamedSpec: No plugin ships a spec of that name.
    """
    from kokoro_core.spec.check import check
    from kokoro_core.spec.load import read_document
    from kokoro_core.spec.text.overrides import apply_overrides, overrides_from_text

    plugins = session.plugins
    written = read_document(source, plugins)
    overrides = overrides_from_text(settings or [])
    document = apply_overrides(written, overrides, plugins.components)
    return document, check(document, plugins)


def explained(plain: Mapping[str, Any], origins: Mapping[str, Origin]) -> str:
    """Return a resolved spec as YAML with the origin of each value as a comment after it.

    For a text of several lines the comment goes above, since after it, it would be part of it.
    """
    from kokoro_core.spec.problems.problem import dotted
    from kokoro_core.spec.text.parse import parse
    from kokoro_core.spec.views.provenance import leaves
    from registry.text import printable

    stream = io.StringIO()
    write_yaml(plain, stream)
    lines = stream.getvalue().splitlines()
    keys = parse(stream.getvalue()).keys
    for path, value in reversed(list(leaves(plain))):
        origin = printable(str(origins[dotted(path)]))
        owner = next(path[:end] for end in range(len(path), 0, -1) if path[:end] in keys)
        at = keys[owner].line - 1
        if (isinstance(value, str) and len(value) > _ONE_LINE) or "\n" in str(value):
            lines.insert(at, f"{' ' * (keys[owner].column - 1)}# {origin}")
        else:
            lines[at] += f"  # {origin}"
    return "".join(f"{line}\n" for line in lines)
