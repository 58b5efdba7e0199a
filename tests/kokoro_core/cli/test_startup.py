"""Starting is cheap: counted in modules, since time is noise."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

COMMANDS = [["--help"], ["check", "small"], ["check", "default"], ["components"]]

AFTER = """
import json, sys
from kokoro_core.cli.app import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print()
print(json.dumps(sorted(sys.modules)))
"""
TORCH = "import json, sys, torch; print(json.dumps(sorted(sys.modules)))"

HEAVY = {
    "torch",
    "numpy",
    "scipy",
    "sympy",
    "pandas",
    "matplotlib",
    "librosa",
    "soundfile",
    "numba",
    "pytorch_lightning",
    "lightning",
    "transformers",
    "safetensors",
    "huggingface_hub",
    "requests",
    "httpx",
    "jsonschema",
    "pytest",
    "hypothesis",
    "asyncio",
    "ssl",
    "multiprocessing",
    "ctypes",
    "unittest",
}
"""What takes 10 ms or more to import, and what none of these commands needs."""


def modules_after(code: str, *arguments: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def modules_of_torch() -> int:
    return len(modules_after(TORCH))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_starting_loads_nothing_heavy_and_half_the_modules_of_torch(
    command: list[str], modules_of_torch: int
) -> None:
    loaded = modules_after(AFTER, *command)
    assert loaded & HEAVY == set()
    of_plugins = {each for each in loaded if each.startswith("kokoro_plugins.")}
    # How many plugins there are is not the start's affair, but what each of them brings is.
    plugins = {each.split(".")[1] for each in of_plugins}
    assert len(loaded - of_plugins) < 0.45 * modules_of_torch
    assert len(of_plugins) <= 4 * len(plugins)
