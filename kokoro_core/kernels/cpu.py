"""What the processor can do: the only file that asks.

Everything that chooses between kernels for a CPU reads `processor`, so that a choice can be tested
on a machine that would make another one. The environment variable ``KOKORO_CPU`` makes it pretend
less, for bug reports and tests (docs/processors.md).
"""

from __future__ import annotations

import functools
import mmap
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch

from kokoro_core.kernels.choice import by_reference

Level = Literal["none", "avx2", "avx512", "neon", "sve"]
"""Vector instructions that torch's own kernels use."""
Limit = Literal["avx2", "none"]
"""What ``KOKORO_CPU`` may say: no more than AVX2, or nothing that a processor may lack."""

LIMIT = "KOKORO_CPU"
ONEDNN_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Where oneDNN looks for the instructions that it may use at most; the first that is set wins."""
WITHOUT_AVX2 = {"SSE41", "AVX"}
WITHOUT_BFLOAT16 = WITHOUT_AVX2 | {
    "AVX2",
    "AVX2_VNNI",
    "AVX2_VNNI_2",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
}
"""Values of those that take away what multiplies bfloat16 without a detour over float32."""
BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "sve_bf16")


@dataclass(frozen=True)
class Processor:
    """What is known of a processor, one fact for each choice that depends on it.

    Attributes:
        level: Vector instructions that torch's own kernels use.
        onednn: oneDNN multiplies float32 and can keep packed weights.
        bfloat16_products: oneDNN multiplies bfloat16; it refuses where this is false.
        bfloat16_instructions: These products are faster than float32's.
        int8_products: torch's product with 8-bit weights uses vector instructions; elsewhere it
            takes forty times as long as one of float32.
        float16_products: FBGEMM multiplies float32 with float16 weights.
        float16_arithmetic: torch's kernels add and multiply float16 themselves.
        huge_pages: A program may ask for them.
    """

    level: Level
    onednn: bool = False
    bfloat16_products: bool = False
    bfloat16_instructions: bool = False
    int8_products: bool = False
    float16_products: bool = False
    float16_arithmetic: bool = False
    huge_pages: bool = False


@dataclass(frozen=True)
class Sources:
    """What torch, the environment and the system say, before anything is concluded from it.

    Attributes:
        machine: The architecture, as `platform.machine` has it.
        dispatch: The instructions that torch's own kernels are chosen for, in torch's words; the
            variable ``ATEN_CPU_CAPABILITY`` takes some away.
        capabilities: Names of instructions, as `torch.cpu.get_capabilities` has them.
        onednn: torch is built with oneDNN and, on Arm, with the library that makes it fast there.
        onednn_bfloat16: oneDNN says that it multiplies bfloat16 here.
        onednn_limit: The instructions that oneDNN may use at most, or an empty string.
        engines: torch's engines for quantised layers.
        huge_pages: The system has them.
    """

    machine: str
    dispatch: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    onednn: bool = False
    onednn_bfloat16: bool = False
    onednn_limit: str = ""
    engines: tuple[str, ...] = ()
    huge_pages: bool = False


@functools.cache
def processor() -> Processor:
    """Return what the processor can do, or pretends to; it is asked once.

    Raises:
        ValueError: ``KOKORO_CPU`` or ``KOKORO_KERNELS`` has a value that means nothing.
    """
    limit = limit_from(os.environ.get(LIMIT, ""))
    return conclude(ask(), "none" if by_reference() else limit)


def limit_from(text: str) -> Limit | None:
    """Return what ``KOKORO_CPU`` asks for; None: everything that is there.

    Raises:
        ValueError: The value means nothing.
    """
    if text not in ("", "avx2", "none"):
        raise ValueError(
            f"`{LIMIT}` must be `avx2` (no more than AVX2), `none` (nothing that one may lack) "
            f"or unset, not `{text}`."
        )
    return cast("Limit", text) if text else None


def ask() -> Sources:
    """Ask torch, the environment and the system."""
    onednn = bool(torch._C._has_mkldnn)
    arm = _is_arm(platform.machine())
    return Sources(
        machine=platform.machine(),
        dispatch=torch.backends.cpu.get_cpu_capability(),
        capabilities=_capabilities(),
        onednn=onednn and (not arm or bool(torch.ops.mkldnn._is_mkldnn_acl_supported())),
        onednn_bfloat16=onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        onednn_limit=next(filter(None, map(os.environ.get, ONEDNN_LIMITS)), "").upper(),
        engines=tuple(torch.backends.quantized.supported_engines),
        huge_pages=hasattr(mmap, "MADV_HUGEPAGE"),
    )


def conclude(sources: Sources, limit: Limit | None = None) -> Processor:
    """Return what follows from what was said, and no more than a limit allows."""
    if limit == "none":
        return Processor("none")
    level = _level(sources)
    onednn = sources.onednn and level != "none" and sources.onednn_limit not in WITHOUT_AVX2
    bfloat16 = onednn and sources.onednn_bfloat16 and limit is None
    native = any(sources.capabilities.get(each) for each in BFLOAT16_INSTRUCTIONS)
    return Processor(
        level="avx2" if limit == "avx2" and level == "avx512" else level,
        onednn=onednn,
        bfloat16_products=bfloat16,
        bfloat16_instructions=bfloat16 and native and sources.onednn_limit not in WITHOUT_BFLOAT16,
        int8_products=level != "none",
        float16_products="fbgemm" in sources.engines,
        float16_arithmetic=bool(sources.capabilities.get("fp16_arith")),
        huge_pages=sources.huge_pages,
    )


def _level(sources: Sources) -> Level:
    if _is_arm(sources.machine):
        return "sve" if sources.dispatch.startswith("SVE") else "neon"
    levels: dict[str, Level] = {"AVX2": "avx2", "AVX512": "avx512"}
    return levels.get(sources.dispatch, "none")


def _is_arm(machine: str) -> bool:
    return machine.lower() in ("aarch64", "arm64")


def _capabilities() -> Mapping[str, Any]:
    """Return the names of instructions and of the processor; older torch tells none."""
    found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return found


def has_onednn() -> bool:
    """Return whether products of float32 may be oneDNN's: it can, and is not switched off."""
    return processor().onednn and bool(torch._C._get_mkldnn_enabled())


def packs(dtype: torch.dtype) -> bool:
    """Return whether weights of a type can be packed for oneDNN."""
    known = {torch.float32: True, torch.bfloat16: processor().bfloat16_products}
    return known.get(dtype, False) and has_onednn()


def has_float16_kernel() -> bool:
    """Return whether FBGEMM can take float16 weights, and is the engine that torch uses."""
    return processor().float16_products and torch.backends.quantized.engine in ("x86", "fbgemm")


def description() -> tuple[str, list[str]]:
    """Return the processor's name and the names of its instructions, whatever is pretended."""
    known = _capabilities()
    name = str(known.get("cpu_name") or platform.processor())
    return name, sorted(each for each, there in known.items() if there is True)
