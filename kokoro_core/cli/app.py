"""The command ``kokoro-core``: the commands of all plugins, including the core's own."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import DEFAULT_MARKUP_MODE, TyperGroup

from kokoro_core._shadowing import explanation
from kokoro_core.cli.errors import lines_of, wants_traceback
from kokoro_core.cli.output import print_error
from kokoro_core.cli.session import Session, session_of
from registry import Command
from registry.terminal import never_fail, open_closed_streams
from registry.text import closest

PROGRAM = "kokoro-core"


class PluginCommands(TyperGroup):
    """A group whose commands come from plugins, including the core's own.

    A command is imported when it runs.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return sorted(session_of(ctx).plugins.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; fail with a similar name, or with plugins that are not loaded."""
        plugins = session_of(ctx).plugins
        command = plugins.command(cmd_name)
        if command is not None:
            return _forwarding(command)
        near = closest(cmd_name, plugins.commands)
        hint = f"did you mean `{near}`?" if near else f"{plugins.not_loaded(cmd_name)}."
        return ctx.fail(f"No such command {cmd_name!r}; {hint}".removesuffix("; ."))


def _forwarding(command: Command) -> Any:
    """Return a command that passes its arguments to a plugin's function, or to its group.

    The function's options are unknown until it is imported, so all arguments are passed on.
    """
    outer = typer.Typer(add_completion=False, rich_markup_mode=None)

    def forward(ctx: typer.Context) -> None:
        found = command.load()
        inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        if isinstance(found, typer.Typer):
            inner = found
        else:
            inner.command(help=_literal(command.help))(found)
        name = f"{PROGRAM} {command.name}"
        typer.main.get_command(inner).main(ctx.args, prog_name=name, obj=ctx.obj)

    outer.command(
        command.name,
        help=_literal(command.help),
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(forward)
    return typer.main.get_command(outer)


def _literal(text: str) -> str:
    """Return third-party text so that the list of commands shows it literally.

    It would be read as markup, and a bracket in it would end ``--help`` for everyone.
    """
    if DEFAULT_MARKUP_MODE != "rich" or not {"[", "\\"} & {*text}:
        return text  # avoids importing rich, which `check` should not wait for
    from rich.markup import escape

    return escape(text)


app = typer.Typer(
    name=PROGRAM,
    cls=PluginCommands,
    help="Compose text-to-speech acoustic models from a spec file and plugins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


def _block(ctx: typer.Context, names: list[str] | None) -> list[str] | None:
    """Record the blocked plugins before plugins are first accessed."""
    session_of(ctx).blocked = tuple(names or ())
    return names


@app.callback()
def options(
    ctx: typer.Context,
    no_plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            callback=_block,
            is_eager=True,
            help="Do not import this plugin; can be repeated.",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error comes from (also KOKORO_DEBUG=1).")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Read the options shared by all commands."""
    session_of(ctx).debug |= debug


def _lines_of_a_plugin(error: Exception, session: Session) -> list[str] | None:
    """Return the message for an error raised by a third-party plugin; None if none raised it."""
    from kokoro_core.cli.plugin_faults import plugin_fault

    said = plugin_fault(error, session.plugins)
    return None if said is None else [said]


def main(args: list[str] | None = None) -> None:
    """Run the command line; exit with 0 (fine), 1 (problems found) or 2 (wrong usage)."""
    open_closed_streams()
    never_fail(sys.stdout, sys.stderr)
    session = Session(debug=wants_traceback())
    try:
        app(args, prog_name=PROGRAM, obj=session)
    except Exception as error:
        said = explanation(error)
        lines = lines_of(error) if said is None else [said]
        if lines is None:
            lines = _lines_of_a_plugin(error, session)
        if lines is None or session.debug:
            raise
        for line in lines:
            print_error(line)
        sys.exit(1)
