"""The toolkit for commands of plugins; the core's own commands use it too.

A command is a function with typer options. Its first argument is ``ctx: typer.Context``;
`session_of` returns the plugins of the run, `load_with` the spec of an argument, and the
`print_…` functions produce output that works on every terminal, pipe and code page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.output import print_error, print_json, print_note, print_table, print_yaml
from kokoro_core.cli.session import Session, session_of
from kokoro_core.params.sizes import MAX_PARAMETERS
from registry.terminal import is_unicode

if TYPE_CHECKING:
    from kokoro_core.spec.tree.model_spec import ModelSpec

__all__ = [
    "JsonOption",
    "LimitOption",
    "Session",
    "SetOption",
    "SpecArgument",
    "check_device",
    "is_unicode",
    "load_with",
    "print_error",
    "print_json",
    "print_note",
    "print_table",
    "print_yaml",
    "session_of",
]

SpecArgument = Annotated[str, typer.Argument(metavar="SPEC", help="A spec file or a named spec.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a setting; can be repeated."),
]
LimitOption = Annotated[
    int, typer.Option("--max-parameters", min=1, metavar="COUNT", help="Reject larger models.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_with(
    source: str,
    settings: list[str] | None,
    session: Session,
    max_parameters: int = MAX_PARAMETERS,
    note: Callable[[str], None] = print_note,
    option: str = "--set",
) -> ModelSpec:
    """Return the spec of an argument, with the overrides of ``--set`` or another option.

    Other changes caused by an override are noted on standard error, unless the caller reports them.

    Raises:
        SpecError: The spec or an override has problems.
        FileNotFoundError: The file does not exist.
        UnknownNamedSpec: No plugin ships a spec of that name.
    """
    from kokoro_core.spec.load import load
    from kokoro_core.spec.text.overrides import overrides_from_text

    overrides = overrides_from_text(settings or [], option)
    return load(source, overrides, session.plugins, max_parameters, note)


def check_device(device: str) -> None:
    """Reject a device that this machine does not have.

    Raises:
        ValueError: Its name is invalid, or it is not available.
    """
    import torch

    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    kind, colon, index = device.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    has_index = not colon or (index.isdecimal() and index.isascii() and int(index) < count)
    if not there.get(kind, False) or not has_index:
        names = ", ".join(name for name, available in there.items() if available)
        raise ValueError(f"`--device {device}` is not on this machine; it has {names}.")
