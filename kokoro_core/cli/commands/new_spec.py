"""The command ``new-spec``: writes a spec with every default and comments on all keys."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.output import print_file, write_file
from kokoro_core.cli.session import Session, session_of
from kokoro_core.cli.toolkit import SetOption
from kokoro_core.slots import MODEL_SLOTS

if TYPE_CHECKING:
    from kokoro_core.spec.tree.model_spec import ModelSpec

TypeOption = Annotated[str | None, typer.Option(metavar="TYPE", help="A component of the slot.")]


def _with_an_option_per_slot(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's ``**types`` by one option per slot of a model."""
    signature = inspect.signature(command, eval_str=True)
    *given, types = signature.parameters.values()
    option = types.replace(kind=types.POSITIONAL_OR_KEYWORD, default=None, annotation=TypeOption)
    options = [option.replace(name=slot) for slot, row in MODEL_SLOTS.items() if not row.many]
    every = (*given[:3], *options, *given[3:])
    command.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined]
    return command


@_with_an_option_per_slot
def new_spec(
    ctx: typer.Context,
    like: Annotated[str, typer.Option(metavar="SPEC", help="The spec to start from.")] = "default",
    name: Annotated[str | None, typer.Option(help="Your name for the model.")] = None,
    override: SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="A new file; standard output if not given.")
    ] = None,
    **types: str | None,
) -> None:
    """Write a spec with every default and a comment per key; asks if no option is given."""
    from kokoro_core.scaffold.new_spec import commented

    session = session_of(ctx)
    chosen = {slot: each for slot, each in types.items() if each is not None}
    if not (chosen or name or override or like != "default") and sys.stdin.isatty():
        with contextlib.redirect_stdout(sys.stderr):  # prompts print blanks to stdout
            name, chosen = ask(session, like)
    spec = compose(session, like, name, chosen, override)
    text = commented(spec, session.plugins.components)
    if out is None:
        print_file(text)
        return
    if os.path.lexists(out):
        raise FileExistsError(f"`{out}` exists; `--out` names a file that does not.")
    write_file(out, text)


def compose(
    session: Session,
    like: str,
    name: str | None,
    chosen: dict[str, str],
    settings: list[str] | None,
) -> ModelSpec:
    """Return a spec like another one, with components of other types and other settings.

    A slot whose type changes takes the defaults of the new one; `none` leaves a slot empty.

    Raises:
        SpecError: The parts do not fit together, or a setting is invalid.
    """
    from kokoro_core.spec.load import load
    from kokoro_core.spec.text.overrides import overrides_from_mapping, overrides_from_text

    base = load(like, [], session.plugins)
    changes: dict[str, Any] = {} if name is None else {"name": name}
    for slot, kind in chosen.items():
        part = getattr(base, slot)
        if kind == "none":
            changes[slot] = None
        elif part is None or session.plugins.components.find(slot, kind).component is not type(
            part
        ):
            changes[slot] = {"type": kind}
    wanted = [*overrides_from_mapping(changes), *overrides_from_text(settings or [])]
    return load(like, wanted, session.plugins)


def ask(session: Session, like: str) -> tuple[str, dict[str, str]]:
    """Ask for the name and for the component of each slot that has a choice."""
    from kokoro_core.spec.load import load

    base = load(like, [], session.plugins)
    components = session.plugins.components
    name = typer.prompt("Name of the model", default="my-voice", err=True)
    chosen = {}
    for slot, row in MODEL_SLOTS.items():
        if row.many:
            continue  # a map of components is written by hand
        part = getattr(base, slot)
        found = None if part is None else components.registration(type(part))
        names = [*components.names(slot), *([] if row.required else ["none"])]
        if len(names) > 1:
            chosen[slot] = typer.prompt(
                f"{slot} ({', '.join(names)})",
                default="none" if found is None else components.name_of(found),
                value_proc=partial(_one_of, names=names),
                err=True,
            )
    return name, chosen


def _one_of(answer: str, names: list[str]) -> str:
    if answer not in names:
        raise typer.BadParameter(f"write one of {', '.join(names)}")
    return answer
