"""Comparisons of results; the reference is computed in float64.

In float64 rounding errors are about 1e-15 and a weak leak is about 1e-5, so that a tolerance of
1e-9 is orders of magnitude away from both. A component that cannot compute in float64 is compared
in float32, far less sharply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from kokoro_core.testing.data.inputs import Outputs

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def tolerance_of(tensor: Tensor) -> float:
    """Return the tolerance for results of a tensor's dtype; 0 for integers."""
    return TOLERANCE.get(tensor.dtype, 0.0)


def assert_same(got: Tensor, expected: Tensor, promise: str) -> None:
    """Compare within the tolerance; the message of a failure begins with the promise."""
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
    """Compare bit for bit; NaN equals NaN."""
    assert got.dtype == expected.dtype, f"{promise}: {got.dtype} is not {expected.dtype}"
    assert got.shape == expected.shape, f"{promise}: {got.shape} is not {expected.shape}"
    assert torch.equal(got.isnan(), expected.isnan()), promise
    assert torch.equal(got.nan_to_num(), expected.nan_to_num()), promise


def assert_all_identical(
    got: Mapping[str, Tensor], expected: Mapping[str, Tensor], promise: str
) -> None:
    """Compare tensors by name bit for bit; ``{}`` in the promise is replaced by the name."""
    for name, tensor in expected.items():
        assert_identical(got[name], tensor, promise.format(name))


def assert_finite(tensors: Mapping[str, Tensor], where: str = "") -> None:
    """Refuse NaN and infinity."""
    for name, tensor in tensors.items():
        assert bool(tensor.isfinite().all()), f"`{name}` must be finite{where}"


def assert_finite_gradients(tensors: Mapping[str, Tensor], where: str = "") -> None:
    """Refuse NaN and infinity in the gradients of tensors that have one."""
    for name, tensor in tensors.items():
        finite = tensor.grad is None or bool(tensor.grad.isfinite().all())
        assert finite, f"the gradient of `{name}` must be finite{where}"


@contextmanager
def must_raise(*errors: type[Exception], otherwise: str) -> Iterator[None]:
    """Expect one of these errors, and raise an AssertionError with a message if none comes."""
    try:
        yield
    except errors:
        return
    raise AssertionError(otherwise)


def largest_difference(got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the largest absolute difference between tensors of the same names."""
    pairs = ((got[name], tensor) for name, tensor in expected.items())
    return max((float((one - other).detach().abs().max()) for one, other in pairs), default=0.0)


def backward(total: Tensor) -> None:
    """Propagate gradients, unless nothing requires one."""
    if total.requires_grad:
        total.backward()  # type: ignore[no-untyped-call]


def projection(outputs: Outputs, seed: int = 7) -> Tensor:
    """Return a randomly weighted sum of every valid output and every loss, to differentiate."""
    generator = torch.Generator().manual_seed(seed)
    total: Any = 0.0
    for tensor in outputs.tensors.values():
        weights = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        mask = outputs.padding_mask.view(*outputs.padding_mask.shape, *[1] * (tensor.dim() - 2))
        total = total + (tensor * weights.to(tensor.dtype)).masked_fill(mask, 0).sum()
    for loss in outputs.losses.values():
        total = total + loss.sum()
    return torch.as_tensor(total)
