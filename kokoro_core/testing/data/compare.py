"""How results are compared: float64 is the oracle.

In float64 rounding is about 1e-15 and a weak leak about 1e-5, so 1e-9 has orders of magnitude to
both sides. A component that cannot compute in float64 is compared in float32, far less sharply.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core.testing.data.inputs import Outputs

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def tolerance_of(tensor: Tensor) -> float:
    """Return what two results of a tensor's dtype may differ by; 0 for whole numbers."""
    return TOLERANCE.get(tensor.dtype, 0.0)


def assert_same(got: Tensor, expected: Tensor, promise: str) -> None:
    """Compare within the tolerance; a failure says which promise is broken."""
    tolerance = tolerance_of(expected)
    torch.testing.assert_close(
        got, expected, rtol=tolerance, atol=tolerance, msg=lambda said: f"{promise}. {said}"
    )


def assert_same_outputs(got: Outputs, expected: Outputs, promise: str) -> None:
    """Compare all outputs of two calls."""
    for name, tensor in expected.tensors.items():
        assert_same(got.tensors[name], tensor, f"`{name}` {promise}")
    for name, tensor in expected.losses.items():
        assert_same(got.losses[name], tensor, f"The loss `{name}` {promise}")


def assert_identical(got: Tensor, expected: Tensor, promise: str) -> None:
    """Compare to the bit, NaN with NaN."""
    assert got.dtype == expected.dtype, f"{promise}: {got.dtype} is not {expected.dtype}"
    assert got.shape == expected.shape, f"{promise}: {got.shape} is not {expected.shape}"
    assert torch.equal(got.isnan(), expected.isnan()), promise
    assert torch.equal(got.nan_to_num(), expected.nan_to_num()), promise


def projection(outputs: Outputs, seed: int = 7) -> Tensor:
    """Return one number that depends on every valid output, and every loss, in a random way."""
    generator = torch.Generator().manual_seed(seed)
    total: Any = 0.0
    for tensor in outputs.tensors.values():
        weights = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        mask = outputs.padding_mask.view(*outputs.padding_mask.shape, *[1] * (tensor.dim() - 2))
        total = total + (tensor * weights.to(tensor.dtype)).masked_fill(mask, 0).sum()
    for loss in outputs.losses.values():
        total = total + loss.sum()
    return torch.as_tensor(total)
