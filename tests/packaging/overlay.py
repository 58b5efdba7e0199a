"""An environment over that of the tests: its packages, and wheels beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

BUILD = """
import os, sys
from setuptools import build_meta

wheels, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    build_meta.build_wheel(wheels)
"""

RUN_EACH = """
import json, sys
from kokoro_core.cli.app import main

for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as ended:
        if ended.code:
            raise
"""


@dataclass(frozen=True)
class Overlay:
    """A Python, and a folder in which it runs."""

    python: Path
    folder: Path

    def run(self, *arguments: str | Path, status: int = 0) -> str:
        """Run Python, compare how it ended, and return what it printed."""
        ran = subprocess.run(
            [str(self.python), *map(str, arguments)],
            check=False,
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == status, f"{arguments}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def kokoro(self, *commands: list[str]) -> str:
        """Run commands of ours one after another, in one process."""
        return self.run("-c", RUN_EACH, json.dumps(commands))


def here(folder: Path) -> Overlay:
    """Return the Python of the tests, running in a folder."""
    return Overlay(Path(sys.executable), folder)


def installed(sources: Iterable[Path], home: Path, folder: Path) -> Overlay:
    """Build wheels and return a new environment with them.

    Args:
        sources: Folders of packages.
        home: An empty folder for the environment and the wheels.
        folder: Where its Python is to run.
    """
    wheels, environment = home / "wheels", home / "environment"
    wheels.mkdir()
    here(home).run("-c", BUILD, wheels, *sources)
    venv.create(environment, with_pip=False)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    base = {"base": str(environment), "platbase": str(environment)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
    shared = sysconfig.get_path("purelib")
    # The second line lets mypy, which knows no import hooks, find the framework as installed.
    (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n{ROOT}\n{shared}\n")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    here(home).run("-m", "pip", "--python", python, "install", *options, *wheels.glob("*.whl"))
    return Overlay(python, folder)
