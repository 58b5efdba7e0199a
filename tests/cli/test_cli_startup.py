"""Starting is cheap: counted in modules, since time is noise."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
from kokoro_core.cli.app import main
try:
    main(["check", "default"])
except SystemExit as end:
    assert not end.code, end.code
print(len(sys.modules))
"""
TORCH = "import sys, torch; print(len(sys.modules))"


def modules_after(code: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return int(ran.stdout.split()[-1])


def test_checking_a_spec_loads_well_under_half_of_the_modules_of_torch() -> None:
    assert modules_after(CHECK) < 0.5 * modules_after(TORCH)
