"""Run the blocks of a page as a reader would: in order, in one folder, in one namespace."""

from __future__ import annotations

import argparse
import io
import json
import shlex
import tomllib
import types
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from kokoro_core import SpecError, load_spec
from kokoro_core.cli.app import app, main
from kokoro_core.cli.session import Session
from kokoro_core.spec.text.document import from_mapping
from kokoro_plugins.training.commands.recipe_file import check_recipe
from kokoro_plugins.training.commands.recipe_model import MODELS, VOCODERS
from registry import installed_plugins
from tests.docs.blocks import ROOT, Block, Shown, commands_of, printed_in

LONG = (
    ("kokoro-core", "demo"),
    ("kokoro-core", "train", "--minutes"),
    ("kokoro-core", "train", "--devices"),
    ("kokoro-core", "train-vocoder", "--minutes"),
    ("kokoro-core", "compare"),
    ("kokoro-core", "hibari-corpus", "--voices"),
    ("kokoro-core", "prepare", "my-recordings"),
    ("kokoro-core", "evaluate", "runs/my-voice"),
    ("kokoro-core", "synthesize", "runs/my-voice"),
    ("kokoro-core", "profile", "small"),
    ("kokoro-core", "profile", "my.yaml"),
    ("kokoro-core", "conformance", "encoder/transformer"),
    ("kokoro-core", "profile", "mixed"),
    ("kokoro-core", "profile", "default"),
    ("kokoro-core", "bench"),
    ("kokoro-core", "serve"),
    ("kokoro-core", "export", "model.safetensors"),
    ("kokoro-core", "export", "heart"),
    ("kokoro-core", "export-speed"),
)
"""Commands, by words that they contain, that run for minutes or need what the page has not made;
they are parsed by the real command line and not run."""

ELSEWHERE = (
    ("python", "-m", "venv", ".venv"),
    (".", ".venv/bin/activate"),
    ("python", "-m", "pytest"),
    ("KOKORO_FAULTS=release", "python", "-m", "pytest"),
)
"""Commands that make an environment, as CI does, or run tests: the suite runs as a whole, and the
test of the third-party package runs those of the package that docs/plugins.md shows."""


@dataclass
class Page:
    """The state of a reader half-way through a page.

    Attributes:
        folder: Where the reader works; it is the current folder and on `sys.path`.
        module: Holds the names that Python blocks have defined.
    """

    folder: Path
    module: types.ModuleType
    seen: list[str] = field(default_factory=list)

    def run(self, block: Block) -> None:
        """Execute or check one block."""
        actions = {
            "python": self.python,
            "yaml": self.yaml,
            "toml": self.toml,
            "json": lambda each: json.loads(each.text),
            "sh": self.shell,
            "shell": self.shell,
            "bash": self.shell,
            "console": self.shell,
            "text": self.picture,
        }
        assert block.language in actions, (
            f"{block.place}: no way is known to check a block of {block.language!r}; "
            f"use one of {', '.join(actions)}"
        )
        self.seen.append(block.place)
        actions[block.language](block)

    def write(self, block: Block) -> Path:
        """Write a block with a title to its file."""
        assert block.title is not None
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        return path

    def python(self, block: Block) -> None:
        """Compile a file, or run a block and compare what it says it prints."""
        if block.title is not None:
            compile(block.text, str(self.write(block)), "exec")
            return
        printed = io.StringIO()
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        with redirect_stdout(printed):
            exec(code, vars(self.module))
        for expected in printed_in(block.text):
            assert expected in printed.getvalue().splitlines(), (
                f"{block.place}: {expected!r} was not printed, but {printed.getvalue()!r}"
            )

    def yaml(self, block: Block) -> None:
        """Check a spec, a part of one as a change of the spec `small`, or a recipe with data."""
        values = YAML(typ="safe", pure=True).load(block.text)
        problems: tuple[Any, ...] = ()
        try:
            if "data" in values:
                kind = VOCODERS if "kokoro-core train-vocoder --recipe" in block.text else MODELS
                check_recipe(from_mapping(values), installed_plugins(), kind)
            elif block.title is not None:
                load_spec(str(self.write(block)))
            elif "decoder" in values and "encoder" in values:
                load_spec(values)
            else:
                load_spec("small", overrides=values)
        except SpecError as error:
            problems = error.problems
        assert bool(problems) == block.wrong, f"{block.place}: {[str(each) for each in problems]}"

    def toml(self, block: Block) -> None:
        """Parse a file; make the entry points of a project known, as an installation would."""
        project = tomllib.loads(block.text).get("project", {})
        if block.title is not None:
            self.write(block)
        groups = project.get("entry-points", {})
        if not groups:
            return
        info = self.folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = [
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in each.items())
            for group, each in groups.items()
        ]
        (info / "entry_points.txt").write_text("".join(points))
        installed_plugins.cache_clear()

    def picture(self, block: Block) -> None:
        """Let plain text pass, but no command that hides in it."""
        hidden = [line for line in block.text.splitlines() if line.startswith("kokoro-core ")]
        assert not hidden, f"{block.place}: {hidden} are commands; make it a `sh` block"

    def shell(self, block: Block) -> None:
        """Run each command of a block."""
        for shown in commands_of(block):
            run_command(shown, block.place, self.folder)


def run_command(shown: Shown, place: str, folder: Path) -> None:
    """Run a command of ours, or check one that would take long or change the machine."""
    words = shown.words
    if any(words[: len(each)] == each for each in ELSEWHERE):
        return
    if words[:4] == ("python", "-m", "pip", "install"):
        check_install(words[4:], place, folder)
        return
    program = 3 if words[:3] == ("python", "-m", "kokoro_core") else 1
    assert program == 3 or words[0] == "kokoro-core", (
        f"{place}: no way is known to check {shlex.join(words)!r}"
    )
    if any(set(each) <= set(words) for each in LONG):
        parse_command(words[program:], place)
    else:
        run_kokoro(words[program:], shown.output, place)


def run_kokoro(arguments: Sequence[str], expected: Sequence[str], place: str) -> None:
    """Run a command of ours in this process and compare its output with what the page shows."""
    printed = io.StringIO()
    status: Any = 0
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(list(arguments))
        except SystemExit as ended:
            status = ended.code or 0
    lines = [" ".join(line.split()) for line in printed.getvalue().splitlines()]
    assert status in ((0, 1) if expected else (0,)), f"{place}: {status}: {printed.getvalue()}"
    for line in expected:
        assert " ".join(line.split()) in lines, f"{place}: {line!r} is not in {printed.getvalue()}"


def parse_command(arguments: Sequence[str], place: str) -> None:
    """Let the command line read arguments: each option must exist and have a right value."""
    group = typer.main.get_command(app)
    context = group.make_context("kokoro-core", [arguments[0]], obj=Session())
    command = group.get_command(context, arguments[0])  # type: ignore[attr-defined]
    assert command is not None, f"{place}: there is no command {arguments[0]!r}"
    if arguments[0] in installed_plugins().commands:
        inner = typer.Typer(add_completion=False)
        inner.command()(installed_plugins().commands[arguments[0]].load())
        command = typer.main.get_command(inner)
    command.make_context(arguments[0], list(arguments[1:]), parent=context)


def check_install(arguments: Sequence[str], place: str, folder: Path) -> None:
    """Check that a pip command installs something that is there, with extras that exist."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-c", type=Path)
    parser.add_argument("-e", action="store_true")
    parser.add_argument("target")
    read = parser.parse_args(arguments)
    if read.c is not None:
        assert (ROOT / read.c).is_file(), f"{place}: there is no {read.c}"
    if read.target == ".":
        assert (folder / "pyproject.toml").is_file(), f"{place}: nothing to install here"
        return
    requirement = Requirement(read.target.replace(".[", "kokoro-core["))
    assert requirement.name == "kokoro-core", f"{place}: {requirement.name} is not ours"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    unknown = requirement.extras - set(project["optional-dependencies"])
    assert not unknown, f"{place}: {unknown} are no extras"
