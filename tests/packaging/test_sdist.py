"""The source distribution holds what the repository holds, so that the tests run from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.packaging.test_metadata import PROJECT, ROOT

MADE = {"PKG-INFO", "setup.cfg"}


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The files of the repository, by their paths."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no checkout, so nothing says which files belong to it")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [each for each in listed.stdout.split("\0") if (ROOT / each).is_file()]


@pytest.mark.slow
def test_it_holds_every_file_of_the_repository_and_no_other(
    tracked: list[str], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    stray = source / "tests" / "__pycache__" / "stray.pyc"
    stray.parent.mkdir()
    stray.write_bytes(b"")
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", str(source)]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    [file] = (source / "dist").glob("*.tar.gz")
    with tarfile.open(file) as archive:
        top = f"kokoro_core-{PROJECT['version']}/"
        held = {each.name.removeprefix(top) for each in archive.getmembers() if each.isfile()}
    held = {each for each in held if not each.startswith("kokoro_core.egg-info/")}
    assert held - MADE == set(tracked)
