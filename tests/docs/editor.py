"""What an editor is asked: `nox -s editor` lets its type checker read pages and example packages.

``python -m tests.docs.editor FOLDER`` writes there the Python of the pages that newcomers read
first, a copy of the example packages, and the settings under which all must be without an error.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.docs.blocks import ROOT, blocks_of

PAGES = ("README.md", "docs/hear.md")

OF_TORCH = ("reportUnknownArgumentType", "reportUnknownMemberType", "reportUnknownVariableType")
"""Rules that torch breaks in code that only uses it, by `tolist` and `manual_seed`; the packages
are read without them."""


def write(folder: Path) -> None:
    """Write what is to be checked.

    Args:
        folder: An empty folder.
    """
    for name in PAGES:
        page = ROOT / name
        blocks = [e for e in blocks_of(page) if e.language == "python" and e.title is None]
        text = "\n".join(each.text for each in blocks)
        (folder / f"{page.stem.lower()}_page.py").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "examples", folder / "examples")
    packages = sorted((folder / "examples").glob("*/pyproject.toml"))
    (folder / "pyrightconfig.json").write_text(json.dumps(settings(packages)), encoding="utf-8")


def settings(packages: list[Path]) -> dict[str, Any]:
    """Return the settings: strict, and of the packages strict but for what is torch's."""
    examples = {"root": "examples", "extraPaths": [str(each.parent) for each in packages]}
    return {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT)],
        "executionEnvironments": [
            {**examples, "extraPaths": [str(ROOT), *examples["extraPaths"]]}
            | dict.fromkeys(OF_TORCH, False),
            {"root": "."},
        ],
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]))
