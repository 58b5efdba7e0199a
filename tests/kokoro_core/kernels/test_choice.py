"""`KOKORO_KERNELS`: everything by the formulas, and the same result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kokoro_core import KokoroModel
from kokoro_core.kernels import choice, cpu
from kokoro_core.kernels.cpu import Processor

SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 4,
    "hidden_dim": 64,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 1024},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 1024},
}
PHONEMES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
DURATIONS = torch.tensor([[2, 3, 3, 2], [4, 1, 0, 0]])
OURS = ("linear_pointwise", "reorder", "linear_dynamic_fp16", "int8pack", "scaled_dot_product")


@pytest.fixture
def by_formulas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cpu.processor.cache_clear()
    with monkeypatch.context() as changed:
        changed.setattr(choice, "_asked", "reference")
        yield
    cpu.processor.cache_clear()


class Names(TorchDispatchMode):
    """Notes the kernels that run."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.seen.add(str(func))
        return func(*args, **(kwargs or {}))


def model(dropout: float = 0.0) -> KokoroModel:
    torch.manual_seed(0)
    stacks = {f"{name}.dropout": dropout for name in ("encoder", "decoder")}
    return KokoroModel.from_spec(SPEC, overrides=stacks)


def speak(made: KokoroModel, dtype: torch.dtype | None, rows: int) -> Tensor:
    return made.generate(
        PHONEMES[:rows], durations=DURATIONS[:rows], stop_threshold=1.0, dtype=dtype
    ).mel


def learn(made: KokoroModel) -> list[Tensor]:
    mels = torch.linspace(-1, 1, 2 * 10 * 4).view(2, 10, 4)
    made.train()(PHONEMES, mels, DURATIONS).loss.backward()
    return [each.grad for each in made.parameters() if each.grad is not None]


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(None, 1e-5), (torch.bfloat16, 0.1), (torch.float16, 1e-5), (torch.int8, 0.05)],
    ids=str,
)
def test_the_formulas_speak_what_the_kernels_speak(
    dtype: torch.dtype | None, tolerance: float, rows: int, request: pytest.FixtureRequest
) -> None:
    expected = speak(model().eval(), dtype, rows)
    request.getfixturevalue("by_formulas")
    with Names() as names:
        found = speak(model().eval(), dtype, rows)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
    assert not [name for name in names.seen if any(each in name for each in OURS)]


def test_the_formulas_learn_what_the_kernels_learn(request: pytest.FixtureRequest) -> None:
    expected = learn(model())
    request.getfixturevalue("by_formulas")
    with Names() as names:
        found = learn(model())
    assert len(found) == len(expected) > 20
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert not [name for name in names.seen if any(each in name for each in OURS)]


@pytest.mark.usefixtures("by_formulas")
def test_the_formulas_have_torchs_own_dropout_and_the_plainest_processor() -> None:
    made = model(dropout=0.5)
    with Names() as names:
        learn(made)
    assert any("native_dropout" in name or "bernoulli" in name for name in names.seen)
    assert cpu.processor() == Processor("none")


def test_a_value_that_means_nothing_is_refused_with_what_would_work() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kokoro_core", "describe", "small"],
        env={**os.environ, "KOKORO_KERNELS": "slow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "`KOKORO_KERNELS` must be `reference` (compute everything by the formulas) or" in (
        " ".join(done.stderr.split())
    )
    assert "not `slow`." in done.stderr
    assert "Traceback" not in done.stderr
