"""By how much a process grows that loads a checkpoint: ``python -m … PATH`` prints the bytes.

In a process that has loaded before, what the C library keeps of it would hide part of the growth.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kokoro_core.cost.resident import resident_and_highest, restart_high_water_mark


def growth_of_a_load(path: Path) -> int | None:
    """Return by how many bytes a fresh process grows at most, or None if that is not known."""
    if sys.platform != "linux":
        return None
    command = [sys.executable, "-m", "kokoro_plugins.bench.fresh_load", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) if done.stdout.strip() else None


def main(path: str) -> None:
    """Load a small model, so that all code is there, then the checkpoint, and print the growth."""
    from kokoro_core import KokoroModel

    KokoroModel.from_spec("small")
    if restart_high_water_mark():
        _, before = resident_and_highest()  # the resident memory may be less a moment later
        model = KokoroModel.load(path)
        print(resident_and_highest()[1] - before)
        del model


if __name__ == "__main__":
    main(sys.argv[1])
