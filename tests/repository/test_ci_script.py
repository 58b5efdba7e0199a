"""`.ci/run` with programs that only write down how they were called, on every system's layout."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from kokoro_core.kernels.cpu import Level, processor
from tests.repository.reading import ROOT, text_of

BASH = shutil.which("bash")
FREEZE = "torch==1\nlightning==1\n"

STUB = """#!{python} -IS
import os, sys
from pathlib import Path
words = [Path(sys.argv[0]).name, *sys.argv[1:]]
if words[1:3] == ["-m", "venv"]:
    folder = Path(words[3], {layout!r})
    folder.mkdir(parents=True)
    for name in ("python", "ruff", "mypy"):
        (folder / name).write_text(Path(sys.argv[0]).read_text())
        (folder / name).chmod(0o755)
else:
    names = ("KOKORO_CPU", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "KOKORO_KERNELS")
    words += [f"{{name}}={{os.environ[name]}}" for name in names if name in os.environ]
    with open({log!r}, "a") as log:
        print(*words, file=log)
if "list" in words:
    print({freeze!r}, end="")
if words[1:2] == ["-c"]:
    print({level!r}, end="")
sys.exit({fails!r} in " ".join(words))
"""

LEVEL = 'python -c from kokoro_core.kernels.cpu import processor; print(processor().level, end="")'
NUMERICS = (
    "python -m pytest -q -n auto --maxprocesses=4 -m not same_everywhere"
    " tests/kokoro_core/kernels tests/kokoro_core/nn"
    " tests/kokoro_core/generation tests/kokoro_plugins/transformer"
    " tests/kokoro_plugins/bench tests/kokoro_core/testing"
    " --ignore tests/kokoro_core/testing/mutants"
)
CALLS = [
    "python -m pip install --quiet -c constraints.txt -e .[test]",
    "python --version",
    "python -m pip list --format=freeze",
    "ruff check .",
    "ruff format --check .",
    "mypy",
    "python -m mkdocs build --strict --quiet --site-dir SITE",
    "python -m pytest -n auto --maxprocesses=4 --durations=30",
    LEVEL,
    f"{NUMERICS} KOKORO_CPU=avx2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2",
    f"{NUMERICS} KOKORO_CPU=none ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default",
    f"{NUMERICS} KOKORO_KERNELS=reference",
]


def run_script(
    folder: Path, layout: str, fails: str = "no such call", level: str = "avx512"
) -> tuple[int, list[str], str]:
    """Run the script in an empty tree; return its status, what it called and what it said."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    stub, log = folder / "interpreter", folder / "log"
    stub.write_text(
        STUB.format(
            **{"python": sys.executable, "layout": layout, "log": str(log)},
            **{"freeze": FREEZE, "fails": fails, "level": level},
        )
    )
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    assert BASH is not None, "the script needs bash"
    settings = {"PATH": os.environ["PATH"], "PYTHON": str(stub), "TMPDIR": str(folder)}
    done = subprocess.run(
        [BASH, str(folder / ".ci" / "run")],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    called = re.sub(r"--site-dir \S+/site", "--site-dir SITE", log.read_text())
    return done.returncode, called.splitlines(), done.stdout


@pytest.mark.parametrize("layout", ["bin", "Scripts"])
def test_the_script_runs_every_stage_in_the_environment_that_it_made(
    tmp_path: Path, layout: str
) -> None:
    status, called, _ = run_script(tmp_path, layout)
    assert status == 0
    assert called == CALLS


@pytest.mark.parametrize("level", ["avx2", "none", "neon", "sve"])
def test_the_numerics_with_avx2_alone_are_left_out_where_the_tests_ran_so(
    tmp_path: Path, level: str
) -> None:
    status, called, said = run_script(tmp_path, "bin", level=level)
    assert status == 0
    assert called == [each for each in CALLS if "=AVX2" not in each]
    assert re.search(f"^== numerics with AVX2 alone: not run, .* {level}: ", said, re.M)


def test_what_the_script_asks_for_is_a_level_that_the_processor_has() -> None:
    done = subprocess.run(
        [sys.executable, *LEVEL.split(maxsplit=2)[1:]], capture_output=True, text=True, check=True
    )
    assert done.stdout == processor().level
    assert "avx512" in get_args(Level)


@pytest.mark.parametrize(
    "fails", ["pip install", "ruff check", "format", "mypy", "mkdocs", "print", "AVX2"]
)
def test_a_stage_that_fails_ends_the_script_with_its_status(tmp_path: Path, fails: str) -> None:
    status, called, _ = run_script(tmp_path, "bin", fails)
    assert status == 1
    assert fails in called[-1]
    assert called == CALLS[: len(called)]


def test_the_environment_is_gone_afterwards(tmp_path: Path) -> None:
    run_script(tmp_path, "bin")
    assert {each.name for each in tmp_path.iterdir()} == {".ci", "interpreter", "log"}


@pytest.mark.parametrize(
    "word",
    ["nproc", "taskset", "realpath", "readlink -f", "grep -P", "sed -i", "timeout ", "/proc/",
     "mapfile", "declare -A", "${!", "date +%s%N", "bin/activate"],
)  # fmt: skip
def test_the_script_asks_for_nothing_that_macos_or_git_s_bash_lack(word: str) -> None:
    assert word not in text_of(".ci/run")


def test_the_script_does_not_hold_a_line_that_only_one_system_ends_so() -> None:
    assert b"\r" not in (ROOT / ".ci" / "run").read_bytes()
    assert re.match(r"#!/usr/bin/env bash\n", text_of(".ci/run"))
