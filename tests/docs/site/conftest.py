"""The site, built once: the one of `.ci/run`, or one of this run of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.docs.site.reading import Page, pages_of


def build(folder: Path) -> None:
    """Build the site into a folder; a problem fails the tests with what mkdocs says of it."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    built = os.environ.get("KOKORO_SITE")
    if built and (Path(built) / "index.html").exists():
        yield Path(built)
        return
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    yield folder


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, Page]:
    return pages_of(site)
