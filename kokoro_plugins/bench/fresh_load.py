"""By how much a process grows that loads a checkpoint: ``python -m … PATH`` prints the bytes.

In a process that has loaded before, what the C library keeps of it would hide part of the growth.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROC = Path("/proc/self")


def growth_of_a_load(path: Path) -> int | None:
    """Return by how many bytes a fresh process grows at most, or None where nobody can tell."""
    if sys.platform != "linux":
        return None
    command = [sys.executable, "-m", "kokoro_plugins.bench.fresh_load", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) if done.stdout.strip() else None


def main(path: str) -> None:
    """Load a small model, so that all code is there, then the checkpoint, and print the growth."""
    from kokoro_core import KokoroModel

    KokoroModel.from_spec("small")
    try:
        (PROC / "clear_refs").write_text("5", encoding="ascii")  # proc_pid_clear_refs(5)
    except OSError:
        return  # the kernel does not restart the high-water mark for us
    before = _status("VmHWM:")  # what is resident now may be less a moment later, this may not
    model = KokoroModel.load(path)
    print(_status("VmHWM:") - before)
    del model


def _status(name: str) -> int:
    """Return a figure of the process in bytes (proc_pid_status(5))."""
    lines = (PROC / "status").read_text(encoding="ascii").splitlines()
    [found] = [line.split() for line in lines if line.startswith(name)]
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1])
