"""Packages that the scaffold made at version 1 of the contracts pass their own suites unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGES = sorted(Path(__file__).with_name("version_1").iterdir())


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_a_package_of_version_1_passes_its_own_suite(package: Path, tmp_path: Path) -> None:
    source = shutil.copytree(package, tmp_path / package.name)
    assert "KOKORO_API = 1" in "".join(
        file.read_text(encoding="utf-8") for file in source.glob("acme_*/plugin.py")
    )
    python = _environment(tmp_path / "environment")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    _run(
        Path(sys.executable), tmp_path, "-m", "pip", "--python", python, "install", *options, source
    )
    quick = ("--conformance-level", "fast", "-p", "no:cacheprovider")
    passed = _run(python, source, "-m", "pytest", "-q", *quick, "tests")
    assert " passed" in passed
    assert "failed" not in passed


def _environment(home: Path) -> Path:
    """Make an environment that sees the packages of this one, and return its Python."""
    venv.create(home, with_pip=False)
    names = {"base": str(home), "platbase": str(home)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=names))
    shared = sysconfig.get_path("purelib")
    (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
    return home / ("Scripts" if os.name == "nt" else "bin") / "python"


def _run(python: Path, folder: Path, *arguments: str | Path) -> str:
    ran = subprocess.run(
        [str(python), *map(str, arguments)],
        check=False,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"
    return ran.stdout
