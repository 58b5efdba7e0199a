"""The toolkit for commands of plugins; the core's own commands use it too.

A command is a function with typer options. Its first argument is ``ctx: typer.Context``;
`session_of` returns the plugins of the run, `load_with` the spec of an argument, and the
`print_…` functions produce output that works on every terminal, pipe and code page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
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
    "load_any",
    "load_with",
    "print_error",
    "print_json",
    "print_note",
    "print_table",
    "print_yaml",
    "session_of",
    "text_given",
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
    source: str | ModelSpec,
    settings: list[str] | None,
    session: Session,
    max_parameters: int = MAX_PARAMETERS,
    note: Callable[[str], None] = print_note,
    option: str = "--set",
) -> ModelSpec:
    """Return the spec of an argument or a spec, with the overrides of ``--set`` or another option.

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


def load_any(
    source: str, settings: list[str] | None, session: Session, option: str = "--set"
) -> ModelSpec:
    """Return the spec of an argument, which may also be a checkpoint.

    Raises:
        SpecError: The spec or an override has problems.
        CheckpointError: The file has a checkpoint's suffix but is not one.
        FileNotFoundError: The file does not exist.
    """
    from kokoro_core.checkpoints.locate import open_checkpoint, suffixes
    from kokoro_core.spec.load import load
    from kokoro_core.spec.text.overrides import overrides_from_text

    plugins, path = session.plugins, Path(source)
    is_checkpoint = path.is_dir() or source.endswith(tuple(suffixes(plugins)))
    if source in plugins.specs or not is_checkpoint:
        return load_with(source, settings, session, option=option)
    from kokoro_core.checkpoints.store import spec_inside

    overrides = overrides_from_text(settings or [], option)
    with open_checkpoint(path, plugins, verify=False) as found:
        spec = spec_inside(found.path, found.content.metadata, plugins)
    return load(spec, overrides, plugins)


def check_device(device: str) -> None:
    """Reject a device that this machine does not have.

    Raises:
        ValueError: Its name is invalid, or it is not available.
    """
    from kokoro_core.tensors.devices import devices, is_device

    if not is_device(device):
        names = ", ".join(devices())
        raise ValueError(f"`--device {device}` is not on this machine; it has {names}.")


def text_given(text: str | None, file: Path | None, command: str) -> str:
    """Return the text of a command: its argument, a file, or with '-' the standard input.

    Raises:
        ValueError: There is no text, or there are two, or it is not UTF-8.
    """
    if (text is None) == (file is None):
        raise ValueError(f"`{command}` needs one text: as an argument, '-' or --file FILE.")
    if file is None and text != "-":
        return str(text)
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        source = "The standard input" if file is None else f"`{file}`"
        raise ValueError(f"{source} must be UTF-8 text, but byte {error.start} is not.") from None
