"""The table of sinusoids: its numbers, whatever its size, type and device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kokoro_plugins.transformer.sinusoidal import BLOCK, SinusoidalEncoding, sinusoids


def exact(max_len: int, hidden_dim: int) -> np.ndarray:
    """Return the table by the formula of the paper, in the widest type there is."""
    channel = np.arange(hidden_dim)
    frequency = np.longdouble(10000.0) ** (-(channel - channel % 2) / np.longdouble(hidden_dim))
    angle = np.arange(max_len, dtype=np.longdouble)[:, None] * frequency
    return np.where(channel % 2, np.cos(angle), np.sin(angle))


@pytest.mark.parametrize("hidden_dim", [1, 2, 7, 64])
@pytest.mark.parametrize("max_len", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3])
def test_each_number_is_that_of_the_paper(max_len: int, hidden_dim: int) -> None:
    table = sinusoids(max_len, hidden_dim).numpy()
    assert table.shape == (max_len, hidden_dim)
    # An angle is rounded to 2^-53 of itself, twice, and a product of two numbers below 1 as well.
    assert np.abs(table - exact(max_len, hidden_dim)).max() <= 2.0**-51 * max(max_len, 4)


def test_a_table_of_the_default_size_is_rounded_once() -> None:
    table = SinusoidalEncoding(hidden_dim=512, max_len=5000).table.numpy()
    expected = exact(5000, 512)
    nearest = expected.astype(np.float32)
    # Where float64 is a rounding error away from the middle between two float32, both are near.
    assert (table != nearest).sum() <= 20
    assert np.abs(table - expected).max() <= np.abs(nearest - expected).max() + 1e-12


def test_the_first_positions_do_not_depend_on_how_many_there_are() -> None:
    assert torch.equal(sinusoids(BLOCK + 9, 10), sinusoids(3 * BLOCK, 10)[: BLOCK + 9])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_model_of_another_type_has_the_table_of_that_type(dtype: torch.dtype) -> None:
    encoding = SinusoidalEncoding(hidden_dim=6, max_len=300).to(torch.bfloat16).to(dtype)
    assert torch.equal(encoding.table, sinusoids(300, 6).to(dtype))


def test_a_table_on_meta_has_a_shape_and_gets_its_numbers_with_a_device() -> None:
    with torch.device("meta"):
        encoding = SinusoidalEncoding(hidden_dim=6, max_len=300)
    assert encoding.table.is_meta
    assert encoding.table.shape == (300, 6)
    assert torch.equal(encoding.to_empty(device="cpu").table, sinusoids(300, 6).float())


def test_a_learned_scale_multiplies_the_sinusoids_and_learns() -> None:
    encoding = SinusoidalEncoding(hidden_dim=6, max_len=9, learned_scale=True).double()
    assert encoding.scale is not None
    with torch.no_grad():
        encoding.scale.fill_(0.25)
    x = torch.randn(2, 9, 6, dtype=torch.float64)
    added = encoding.add(x, torch.arange(9))
    np.testing.assert_allclose(
        added.detach().numpy(), x.numpy() + 0.25 * exact(9, 6).astype(np.float64), rtol=1e-12
    )
    added.sum().backward()
    assert encoding.scale.grad is not None
    np.testing.assert_allclose(float(encoding.scale.grad), 2 * float(exact(9, 6).sum()), rtol=1e-12)
