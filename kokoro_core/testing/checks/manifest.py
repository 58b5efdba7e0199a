"""Promises of the params class, which needs no torch."""

from __future__ import annotations

import os
import subprocess
import sys

from kokoro_core.testing.check import PARTS, Check
from kokoro_core.testing.data.cases import ONCE, Nothing
from kokoro_core.testing.subjects.subject import Subject
from registry import installed_plugins

IMPORT = "import sys, importlib; importlib.import_module({!r}); sys.exit('torch' in sys.modules)"


def _no_module(subject: Subject) -> str | None:
    kind = type(subject.params)
    local = kind.__module__ in ("__main__", "__mp_main__") or "<locals>" in kind.__qualname__
    return "its params class is not in a module of its own" if local else None


@Check(
    "params-without-torch",
    costly=True,
    cases=ONCE,
    slots=PARTS,
    skip=_no_module,
    bug="checking a spec must cost no import of torch, which takes seconds",
)
def params_without_torch(subject: Subject, data: Nothing) -> None:
    """Importing the module of the params class imports no torch."""
    module = type(subject.params).__module__
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(module)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, (
        f"importing `{module}` must not import torch; import it inside `build` {done.stderr[-300:]}"
    )


@Check(
    "params-round-trip",
    cases=ONCE,
    slots=PARTS,
    bug="settings that are written into a checkpoint and read back as others",
)
def params_round_trip(subject: Subject, data: Nothing) -> None:
    """The settings written as JSON and read again are the same, and the class says what it is."""
    params = subject.params
    kind = type(params)
    context = {"registry": installed_plugins().components}
    again = kind.model_validate_json(params.model_dump_json(), context=context)
    assert again == params, f"`{kind.__name__}` must be the same when written as JSON and read"
    assert (kind.__doc__ or "").strip(), f"`{kind.__name__}` must have a docstring"
    assert kind.component_name == params.type, "`type` must have the component's name as default"
