"""A fresh interpreter without torch and threads, in which a fork is cheap and safe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
RELEASE = os.environ.get("KOKORO_FAULTS") == "release"
"""Whether the campaigns run in the sizes of a release, which take an hour."""

_RUN = """
import json, sys
from importlib import import_module
module, name, arguments = json.loads(sys.argv[1])
print(json.dumps(getattr(import_module(module), name)(**arguments)))
"""


def in_small_process(campaign: Callable[..., Any], **arguments: Any) -> Any:
    """Run a function of this folder elsewhere; arguments and result are values that JSON has."""
    call = json.dumps([campaign.__module__, campaign.__name__, arguments])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _RUN, call],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Give a folder in memory where there is one: a kill leaves the same there as on a disk."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    folder = Path(tempfile.mkdtemp(dir=memory if usable else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
