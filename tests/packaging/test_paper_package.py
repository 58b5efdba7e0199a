"""The package that docs/paper.md builds: as short as the page says, and proven as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of

PAGE = ROOT / "docs" / "paper.md"
FILES = [each for each in blocks_of(PAGE) if each.title is not None]


def test_the_component_has_as_many_lines_as_the_page_says() -> None:
    texts = [each.text for each in FILES if str(each.title).startswith("acme_curves/")]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    [said] = re.findall(r"a component: (\d+) lines", PAGE.read_text(encoding="utf-8"))
    assert len(lines) == int(said) < 100


@pytest.mark.slow
def test_its_own_test_passes(tmp_path: Path) -> None:
    for each in FILES:
        path = tmp_path / str(each.title)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each.text, encoding="utf-8")
    info = tmp_path / "acme_curves-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-curves\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[kokoro.plugins]\nacme-curves = acme_curves.plugin\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [passed] = re.findall(r"(\d+) passed", ran.stdout)
    assert int(passed) > 30
