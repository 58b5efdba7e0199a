"""What lies beside a script hides none of our packages; what cannot work is named in a sentence."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kokoro_core

SCRIPT = "from kokoro_core import KokoroModel\n"
SPEC_SCRIPT = "from kokoro_core.slots import ENCODER\nprint(ENCODER.name)\n"
CORE = Path(kokoro_core.__file__).parent


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def beside(folder: Path, hiding: str, script: str) -> Path:
    """Write a script, and a module or a package of a user's own in its folder."""
    file = folder / hiding
    file.parent.mkdir(exist_ok=True)
    file.write_text("OWN = 1\n")
    (folder / "script.py").write_text(script)
    return file


@pytest.mark.parametrize(
    "hiding",
    ["registry.py", "registry/__init__.py", "kokoro_plugins.py", "kokoro_plugins/__init__.py"],
)
def test_our_packages_are_found_whatever_lies_beside_a_script(hiding: str, tmp_path: Path) -> None:
    beside(tmp_path, hiding, SPEC_SCRIPT)
    assert run(tmp_path, "script.py").stdout == "encoder\n"
    checked = run(tmp_path, "-m", "kokoro_core", "check", "small")
    assert (checked.returncode, checked.stdout) == (0, "small: ok\n")


def test_the_class_is_found_beside_a_user_s_registry(tmp_path: Path) -> None:
    beside(tmp_path, "registry.py", f"{SCRIPT}print(KokoroModel.__name__)\n")
    assert run(tmp_path, "script.py").stdout == "KokoroModel\n"


@pytest.mark.parametrize("script", [SCRIPT, SPEC_SCRIPT])
def test_a_user_s_registry_that_came_first_is_named(script: str, tmp_path: Path) -> None:
    file = beside(tmp_path, "registry.py", f"import registry\n{script}")
    ran = run(tmp_path, "script.py")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        f"ImportError: `{file}` hides the module `registry` that comes with kokoro-core; rename "
        f"it or move it elsewhere."
    )


def test_a_user_s_registry_that_came_late_is_told_whose_name_it_has(tmp_path: Path) -> None:
    beside(tmp_path, "registry.py", f"{SPEC_SCRIPT}import registry\nregistry.OWN\n")
    ran = run(tmp_path, "script.py")
    assert "`registry`, which comes with kokoro-core, has no `OWN`" in ran.stderr


@pytest.mark.parametrize("module", ["tokenize", "pluggy", "torch"])
def test_a_hidden_module_that_a_script_needs_is_named(module: str, tmp_path: Path) -> None:
    file = beside(tmp_path, f"{module}.py", SCRIPT)
    ran = run(tmp_path, "script.py")
    assert ran.stderr.splitlines()[-1] == (
        f"ImportError: `{file}` hides the module `{module}` that kokoro-core needs; rename it or "
        f"move it elsewhere."
    )


@pytest.mark.parametrize("module", ["ruamel", "typer", "pydantic"])
def test_a_hidden_module_that_a_command_needs_is_one_line(module: str, tmp_path: Path) -> None:
    file = beside(tmp_path, f"{module}.py", "")
    (tmp_path / "m.yaml").write_text("name: x\n")
    ran = run(tmp_path, "-m", "kokoro_core", "check", "m.yaml")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"`{file}` hides the module `{module}` that kokoro-core needs; rename it or move it "
        f"elsewhere.\n"
    )


def test_every_file_finds_ours_before_it_imports_the_registry() -> None:
    """The rooms `spec`, `cli` and `scaffold` see to it; whoever else imports it has one of them."""
    late = []
    for file in CORE.rglob("*.py"):
        room = file.relative_to(CORE).parts[0]
        names = [name for node in ast.parse(file.read_text()).body for name in imported(node)]
        first = next((at for at, name in enumerate(names) if name.startswith("registry")), None)
        ours = [name for name in names[:first] if name.startswith("kokoro_core.")]
        if first is not None and not ours and room not in ("spec", "cli", "scaffold"):
            late.append(file)
    assert not late


def imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [each.name for each in node.names] if isinstance(node, ast.Import) else []
