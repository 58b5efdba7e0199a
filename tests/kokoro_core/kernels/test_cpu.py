"""What is concluded of processors that are not this one, and what each of them still computes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from kokoro_core.cli.app import main
from kokoro_core.kernels import cpu
from kokoro_core.kernels.cpu import Limit, Processor, Sources, conclude

ZEN_3 = Sources(
    machine="x86_64",
    dispatch="AVX2",
    capabilities={"avx2": True, "avx512_f": False, "avx512_bf16": False, "architecture": "x86_64"},
    onednn=True,
    engines=("qnnpack", "onednn", "x86", "fbgemm"),
    huge_pages=True,
)
SKYLAKE = replace(
    ZEN_3, dispatch="AVX512", capabilities={"avx2": True, "avx512_f": True}, onednn_bfloat16=True
)
ZEN_4 = replace(SKYLAKE, capabilities={"avx2": True, "avx512_f": True, "avx512_bf16": True})
NEHALEM = replace(ZEN_3, dispatch="DEFAULT", capabilities={}, engines=("qnnpack", "onednn"))
GRAVITON_3 = Sources(
    machine="aarch64",
    dispatch="SVE256",
    capabilities={"neon": True, "fp16_arith": True, "bf16": True, "sve_bf16": True},
    onednn=True,
    onednn_bfloat16=True,
    engines=("qnnpack",),
    huge_pages=True,
)
PI_4 = replace(GRAVITON_3, dispatch="DEFAULT", capabilities={"neon": True}, onednn_bfloat16=False)
APPLE_M2 = Sources(
    machine="arm64",
    dispatch="DEFAULT",
    capabilities={"neon": True, "fp16_arith": True, "bf16": True},
    engines=("qnnpack",),
)

AVX2 = Processor("avx2", onednn=True, int8_products=True, float16_products=True, huge_pages=True)
AVX512 = replace(AVX2, level="avx512", bfloat16_products=True)
NEON = Processor("neon", onednn=True, int8_products=True, huge_pages=True)
SVE = Processor(
    "sve",
    onednn=True,
    bfloat16_products=True,
    bfloat16_instructions=True,
    int8_products=True,
    float16_arithmetic=True,
    huge_pages=True,
)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (ZEN_3, AVX2),
        (SKYLAKE, AVX512),
        (ZEN_4, replace(AVX512, bfloat16_instructions=True)),
        (NEHALEM, Processor("none", huge_pages=True)),
        (PI_4, NEON),
        (GRAVITON_3, SVE),
        (APPLE_M2, replace(NEON, onednn=False, float16_arithmetic=True, huge_pages=False)),
        (Sources(machine="ppc64le", dispatch="VSX", onednn=True), Processor("none")),
    ],
    ids=["Zen 3", "Skylake", "Zen 4", "Nehalem", "Pi 4", "Graviton 3", "Apple M2", "POWER"],
)
def test_each_processor_is_taken_for_what_it_is(sources: Sources, expected: Processor) -> None:
    assert conclude(sources) == expected


@pytest.mark.parametrize(
    ("sources", "limit", "expected"),
    [
        (ZEN_4, "avx2", AVX2),
        (ZEN_3, "avx2", AVX2),
        (NEHALEM, "avx2", conclude(NEHALEM)),
        (GRAVITON_3, "avx2", replace(SVE, bfloat16_products=False, bfloat16_instructions=False)),
        (ZEN_4, "none", Processor("none")),
        (GRAVITON_3, "none", Processor("none")),
        (APPLE_M2, "none", Processor("none")),
    ],
)
def test_a_limit_takes_away_and_never_adds(
    sources: Sources, limit: Limit, expected: Processor
) -> None:
    assert conclude(sources, limit) == expected


@pytest.mark.parametrize(
    ("isa", "bfloat16", "expected"),
    [
        ("SSE41", False, replace(AVX512, onednn=False, bfloat16_products=False)),
        ("AVX2", False, replace(AVX512, bfloat16_products=False)),
        ("AVX2_VNNI_2", True, AVX512),
        ("AVX512_CORE", True, AVX512),
        ("AVX512_CORE_BF16", True, replace(AVX512, bfloat16_instructions=True)),
        ("DEFAULT", True, replace(AVX512, bfloat16_instructions=True)),
    ],
)
def test_what_onednn_may_not_use_is_not_there(
    isa: str, bfloat16: bool, expected: Processor
) -> None:
    assert conclude(replace(ZEN_4, onednn_limit=isa, onednn_bfloat16=bfloat16)) == expected


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own, where oneDNN and torch may use so much."""
    ours = {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "KOKORO_CPU"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


ASK = "from kokoro_core.kernels import cpu; print(cpu.processor())"


@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_torch_and_onednn_are_believed_when_the_environment_limits_them(variable: str) -> None:
    told = run(ASK, **{variable: "sse41"}).stdout
    assert "onednn=False, bfloat16_products=False" in told


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Forget what this process concluded of its processor, before the test and after it."""
    monkeypatch.delenv("KOKORO_CPU", raising=False)
    cpu.processor.cache_clear()
    yield monkeypatch
    cpu.processor.cache_clear()


def test_the_variable_makes_the_processor_pretend_less(asked_anew: pytest.MonkeyPatch) -> None:
    told = {}
    for limit in (None, "", "avx2", "none"):
        if limit is not None:
            asked_anew.setenv("KOKORO_CPU", limit)
        cpu.processor.cache_clear()
        told[limit] = cpu.processor()
    assert told["none"] == Processor("none")
    assert told[""] == told[None]
    assert not told["avx2"].bfloat16_products


def test_the_variable_is_read_by_a_process_of_its_own() -> None:
    assert run(ASK, KOKORO_CPU="none").stdout.strip() == str(Processor("none"))


def test_a_limit_that_means_nothing_is_refused_with_those_that_do(
    asked_anew: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_anew.setenv("KOKORO_CPU", "sse9")
    with pytest.raises(SystemExit) as caught:
        main(["bench", "frame"])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert "`KOKORO_CPU` must be `avx2`" in said
    assert "unset, not `sse9`." in said
    assert "Traceback" not in said


def test_the_choice_of_a_user_of_torch_is_looked_at_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: AVX512)
    assert cpu.packs(torch.float32)
    assert cpu.packs(torch.bfloat16)
    assert not cpu.packs(torch.float64)
    with monkeypatch.context() as switched_off:
        switched_off.setattr(torch._C, "_get_mkldnn_enabled", lambda: False)
        assert not cpu.has_onednn()
        assert not cpu.packs(torch.float32)
    monkeypatch.setattr(cpu, "processor", lambda: AVX2)
    assert cpu.packs(torch.float32)
    assert not cpu.packs(torch.bfloat16)
    monkeypatch.setattr(torch.backends.quantized, "engine", "qnnpack")
    assert not cpu.has_float16_kernel()


SPEAK = """
import torch
from kokoro_core import KokoroModel

torch.manual_seed(0)
model = KokoroModel.from_spec(
    {
        "vocab_size": 12,
        "mel_dim": 4,
        "hidden_dim": 64,
        "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 1024},
        "postnet": {"type": "conv"},
    }
).eval()
phonemes = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
durations = torch.tensor([[2, 3, 3, 2], [4, 1, 0, 0]])
for rows in (1, 2):
    for dtype in (None, torch.bfloat16, torch.float16, torch.int8):
        mel = model.generate(
            phonemes[:rows], durations=durations[:rows], stop_threshold=1.0, dtype=dtype
        ).mel
        expected = mel if dtype is None else expected
        print(f"{rows} {dtype} {float((mel - expected).abs().max() / expected.abs().max()):.4f}")
"""
SETTINGS = {
    "as it is": {},
    "oneDNN has AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX2": {
        "KOKORO_CPU": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    },
    "torch has nothing": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "nothing": {"KOKORO_CPU": "none"},
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_every_type_speaks_on_every_processor(setting: dict[str, str]) -> None:
    done = run(SPEAK, **setting)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 8
    limits = {"None": 0.0, "torch.bfloat16": 0.05, "torch.float16": 0.005, "torch.int8": 0.05}
    for rows, dtype, error in lines:
        assert float(error) <= limits[dtype], (rows, dtype, error)
        assert dtype in ("None", "torch.float16") or float(error) > 0
