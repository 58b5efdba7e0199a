"""The floors: who may import whom, and what the cheap side leaves unimported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "numpy", "librosa", "lightning", "matplotlib", "safetensors", "phonemizer")
PLUGINS = sorted(each.parent.name for each in (ROOT / "kokoro_plugins").glob("*/__init__.py"))


def imports_of(file: Path) -> Iterator[str]:
    """Yield every module that a file imports, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from absolute(node, file)


def absolute(node: ast.ImportFrom, file: Path) -> Iterator[str]:
    """Yield what ``from x import y`` may import: x, and x.y in case y is a module."""
    module = node.module or ""
    if node.level:
        package = file.relative_to(ROOT).parent.parts
        package = package[: len(package) - node.level + 1]
        module = ".".join((*package, module) if module else package)
    yield module
    yield from (f"{module}.{alias.name}" for alias in node.names)


def files_of(folder: str) -> list[Path]:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    return files


def test_relative_imports_are_seen_for_what_they_are() -> None:
    [node] = ast.parse("from ..other import thing").body
    assert isinstance(node, ast.ImportFrom)
    file = ROOT / "kokoro_plugins" / "one" / "plugin.py"
    assert list(absolute(node, file)) == ["kokoro_plugins.other", "kokoro_plugins.other.thing"]


def test_the_registry_imports_the_standard_library_and_pluggy_alone() -> None:
    allowed = sys.stdlib_module_names | {"pluggy", "registry"}
    for file in files_of("registry"):
        strangers = {each for each in imports_of(file) if each.partition(".")[0] not in allowed}
        assert not strangers, f"{file.relative_to(ROOT)} imports {strangers}"


def test_the_core_imports_no_plugin() -> None:
    for file in files_of("kokoro_core"):
        upper = {each for each in imports_of(file) if each.startswith("kokoro_plugins")}
        assert not upper, f"{file.relative_to(ROOT)} imports {upper}"


QUESTIONS = (
    "get_capabilities",
    "get_cpu_capability",
    "_has_mkldnn",
    "_get_mkldnn_enabled",
    "_is_mkldnn_",
    "mkldnn.is_available",
    "quantized.engine",
    "supported_engines",
    "hasattr(mmap",
    "_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "/proc/cpuinfo",
)


def test_one_file_alone_asks_what_the_processor_can_do() -> None:
    files = [*files_of("registry"), *files_of("kokoro_core"), *files_of("kokoro_plugins")]
    who = {
        question: {
            file.relative_to(ROOT).as_posix()
            for file in files
            if question in file.read_text(encoding="utf-8")
        }
        for question in QUESTIONS
    }
    others = {each for asking in who.values() for each in asking} - {"kokoro_core/kernels/cpu.py"}
    assert not others, f"{others} must ask `kokoro_core.kernels.cpu`"
    assert who["_has_mkldnn"], "the questions are spelt otherwise"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins_never_import_each_other(plugin: str) -> None:
    for file in files_of(f"kokoro_plugins/{plugin}"):
        siblings = {
            each
            for each in imports_of(file)
            if each.startswith("kokoro_plugins.") and each.split(".")[1] != plugin
        }
        assert not siblings, f"{file.relative_to(ROOT)} imports {siblings}"


def cheap_modules() -> list[str]:
    """Return the modules that must not pull in a heavy one, by the layout of the repository."""
    files = [
        *(ROOT / "registry").rglob("*.py"),
        *(ROOT / "kokoro_core" / "params").glob("*.py"),
        *(ROOT / "kokoro_core" / "spec").rglob("*.py"),
        *(ROOT / "kokoro_core" / "cli").glob("*.py"),
        *(ROOT / "kokoro_core" / "cli" / "commands").glob("*.py"),
        ROOT / "kokoro_core" / "__init__.py",
        ROOT / "kokoro_core" / "slots.py",
        ROOT / "kokoro_core" / "errors.py",
        *(ROOT / "kokoro_plugins").glob("*/plugin.py"),
        *(ROOT / "kokoro_plugins").glob("*/params.py"),
    ]
    names = (".".join(each.relative_to(ROOT).with_suffix("").parts) for each in files)
    return sorted(name.removesuffix(".__init__") for name in names)


def run(code: str, *args: str) -> None:
    """Run code in a fresh interpreter and show what it said if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


REPORT_HEAVY = f"""
import sys
heavy = sorted(set({HEAVY!r}) & set(sys.modules))
if heavy:
    sys.exit(f"imported {{heavy}}")
"""


def test_the_spec_side_and_every_manifest_leave_the_heavy_world_unimported() -> None:
    modules = cheap_modules()
    assert len(modules) > 30
    loop = "import importlib, sys\nfor each in sys.argv[1:]:\n    importlib.import_module(each)\n"
    run(loop + "    from kokoro_core import load_spec, ModelSpec\n" + REPORT_HEAVY, *modules)


def test_the_report_of_heavy_modules_sees_one() -> None:
    with pytest.raises(AssertionError, match="imported \\['numpy'\\]"):
        run("import numpy" + REPORT_HEAVY)


@pytest.mark.parametrize(
    "command",
    [
        "check default small",
        "resolve default --set hidden_dim=64 --json",
        "components --json",
        "describe transformer --json",
        "specs",
        "plugins",
        "--help",
        "--version",
    ],
)
def test_commands_that_only_read_specs_leave_the_heavy_world_unimported(command: str) -> None:
    code = f"""
import contextlib, io
from kokoro_core.cli.app import main
try:
    with contextlib.redirect_stdout(io.StringIO()):
        main({command.split()!r})
except SystemExit as stop:
    if stop.code:
        raise
"""
    run(code + REPORT_HEAVY)


def test_finding_plugins_draws_no_random_number_and_prints_nothing() -> None:
    code = """
import random
random.seed(1)
state = random.getstate()
from registry import installed_plugins
assert installed_plugins().records
assert random.getstate() == state
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("", "")
