"""What a figure depends on beside the code: the processor and the versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("kokoro-core", "torch", "transformers", "safetensors", "numpy")
TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "neon", "bf16", "sve")
"""Flags of a processor that decide which kernels torch has for it."""


def machine_facts() -> dict[str, Any]:
    """Return the processor, its flags that matter, and the versions of what runs on it."""
    facts: dict[str, Any] = {
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **_processor(Path("/proc/cpuinfo")),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _processor(path: Path) -> dict[str, Any]:
    """Return the name and the flags of the processor where Linux tells them."""
    if not path.is_file():
        return {"processor": platform.processor(), "flags": []}
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    known = {name.strip(): value.strip() for name, _, value in lines}
    flags = set((known.get("flags") or known.get("Features") or "").split())
    telling = [each for each in TELLING_FLAGS if each in flags]
    return {"processor": known.get("model name", platform.processor()), "flags": telling}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
