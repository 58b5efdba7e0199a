"""One clear line for errors that the user can fix; a bug keeps its traceback."""

from __future__ import annotations

import os
from pathlib import Path

from registry.errors import RegistryError

DEBUG_VARIABLE = "KOKORO_DEBUG"

_EXTRA_OF = {
    "espeakng_loader": "speech",
    "huggingface_hub": "hub",
    "soundfile": "speech",
    "starlette": "serve",
    "uvicorn": "serve",
    "hypothesis": "conformance",
    "pytest": "conformance",
    "lightning": "train",
    "matplotlib": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "sherpa_onnx": "sherpa",
    "praatio": "train",
    "pysbd": "speech",
    "pyloudnorm": "train",
    "soxr": "train",
    "transformers": "bench",
}


def lines_of(error: Exception) -> list[str] | None:
    """Return the lines that tell a user what is wrong, or None for a possible bug.

    Every error that the framework raises for bad input derives from `ValueError` or
    `RegistryError`; its message is written for users.
    """
    if isinstance(error, ModuleNotFoundError):
        return _missing_module(error)
    if isinstance(error, (ValueError, RegistryError)):
        return str(error).splitlines() or [type(error).__name__]
    if isinstance(error, OSError):
        return [_os_error(error)]
    return None


def wants_traceback() -> bool:
    """Return whether the user asked for tracebacks."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _missing_module(error: ModuleNotFoundError) -> list[str] | None:
    extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
    if extra is None:
        return None
    install = f"python -m pip install 'kokoro-core[{extra}]'"
    return [f"`{error.name}` is not installed; {install} brings it."]


def _os_error(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error) if error.strerror is None else f"Writing or reading: {error.strerror}."
    return f"`{Path(os.fsdecode(error.filename))}`: {error.strerror}."
