"""Options of a command that dataclasses declare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from kokoro_core.cli.from_settings import Given, flag_of, options_of, with_options_of


@dataclass(frozen=True)
class Size:
    """Two options, and a field that is none since nothing is said of it."""

    width: Annotated[int, typer.Option(min=1, help="Of it.")] = 3
    tall: Annotated[float | None, typer.Option("--height", help="Of it.")] = None
    shape: Annotated[str, typer.Option(min=1)] = "square"
    parts: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Colour:
    """One option of its own, and one that it shares."""

    hue: Annotated[str, typer.Option(help="Of it.")]
    width: Annotated[int, typer.Option(help="Of the line.")] = 1


def called(*args: str, **defaults: Any) -> list[Any]:
    """Return what a command of both classes makes of arguments."""
    made: list[Any] = []
    app = typer.Typer()

    @app.command()
    @with_options_of(Size, Colour, without=("hue",), **defaults)
    def command(*, given: Given, name: str, loud: bool = False) -> None:
        """Do it."""
        size = given.make(Size, parts=("a",))
        made.extend([size, name, loud, given.values_of(Colour)])

    result = CliRunner().invoke(app, list(args))
    return made or [result.exit_code, result.output]


def test_options_become_settings_and_the_command_keeps_its_own() -> None:
    expected = [Size(width=5, tall=2.5, parts=("a",)), "x", True, {"width": 5}]
    assert called("--width", "5", "--height", "2.5", "x", "--loud") == expected


def test_defaults_are_those_of_the_class_or_of_the_command() -> None:
    """An option that two classes have is the last one's."""
    assert called("x")[0] == Size(width=1, parts=("a",))
    assert called("x", width=9)[0] == Size(width=9, parts=("a",))


@pytest.mark.parametrize("flag", ["--hue", "--shape", "--parts"])
def test_fields_without_a_help_text_and_those_left_out_are_no_options(flag: str) -> None:
    status, output = called("x", flag, "y")
    assert status == 2
    assert "No such option" in output


def test_a_flag_is_the_one_that_is_given_or_the_name() -> None:
    hints = {name: each.annotation for name, each in options_of(Size).items()}
    assert list(hints) == ["width", "tall"]
    assert flag_of("tall", hints["tall"]) == "--height"
    assert flag_of("very_tall", hints["width"]) == "--very-tall"
