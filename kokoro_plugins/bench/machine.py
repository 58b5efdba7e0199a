"""What a figure depends on beside the code: the processor and the versions."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from kokoro_core.kernels import cpu

PACKAGES = ("kokoro-core", "torch", "transformers", "safetensors", "numpy")
TELLING_FLAGS = (
    "avx2",
    "avx512_f",
    "avx512_bf16",
    "avx512_vnni",
    "amx_bf16",
    "neon",
    "bf16",
    "sve",
)
"""Instructions of a processor that decide which kernels torch has for it, in torch's words."""


def machine_facts() -> dict[str, Any]:
    """Return the processor, its flags that matter, and the versions of what runs on it."""
    name, flags = cpu.description()
    facts: dict[str, Any] = {
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": name,
        "flags": [each for each in TELLING_FLAGS if each in flags],
        "kernels": asdict(cpu.processor()),
        "versions": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
