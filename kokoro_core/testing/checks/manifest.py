"""What the params class says without torch."""

from __future__ import annotations

import subprocess
import sys

from kokoro_core.testing.check import PARTS, check
from kokoro_core.testing.data.cases import ONCE, Nothing
from kokoro_core.testing.subjects.subject import Subject

IMPORT = "import sys, importlib; importlib.import_module({!r}); sys.exit('torch' in sys.modules)"


@check(
    "params-without-torch",
    costly=True,
    cases=ONCE,
    slots=PARTS,
    skip=lambda subject: (
        "its params class is not in a module of its own"
        if _module(subject) in ("__main__", "__mp_main__") or "<locals>" in _qualname(subject)
        else None
    ),
    bug="checking a spec must cost no import of torch, which takes seconds",
)
def params_without_torch(subject: Subject, data: Nothing) -> None:
    """Importing the module of the params class imports no torch."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(_module(subject))],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, (
        f"importing `{_module(subject)}` must not import torch; import it inside `build` "
        f"{done.stderr[-300:]}"
    )


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}


def _module(subject: Subject) -> str:
    return type(subject.params).__module__


def _qualname(subject: Subject) -> str:
    return type(subject.params).__qualname__


@check(
    "params-round-trip",
    cases=ONCE,
    slots=PARTS,
    bug="settings that are written into a checkpoint and read back as others",
)
def params_round_trip(subject: Subject, data: Nothing) -> None:
    """The settings written as JSON and read again are the same, and the class says what it is."""
    params = subject.params
    kind = type(params)
    again = kind.model_validate_json(params.model_dump_json(), context=_context())
    assert again == params, f"`{kind.__name__}` must be the same when written as JSON and read"
    assert (kind.__doc__ or "").strip(), f"`{kind.__name__}` must have a docstring"
    assert kind.component_name == params.type, "`type` must have the component's name as default"


def _context() -> dict[str, object]:
    from registry import installed_plugins

    return {"registry": installed_plugins().components}
