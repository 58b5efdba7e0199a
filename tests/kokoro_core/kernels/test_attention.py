"""Attention by the formula and by the fastest way: both are torch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kokoro_core.kernels import attention, reference
from kokoro_core.tensors.masks import attend_mask, padding_mask_from_lengths

ROWS, HEADS, DIM = 2, 3, 4


def heads(length: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(ROWS, HEADS, length, DIM, generator=generator, dtype=torch.float64)
    return made.to(dtype).requires_grad_()


def masks(queries: int, keys: int) -> dict[str, Tensor | None]:
    return {
        "none": None,
        "padding": attend_mask(padding_mask_from_lengths(torch.tensor([keys, 1]), keys)),
        "bias": torch.linspace(-1, 1, queries * keys, dtype=torch.float64).view(queries, keys),
    }


def as_torch_wants_it(mask: Tensor | None, causal: bool, queries: int, keys: int) -> Tensor:
    """Return one added mask, written down without the code under test."""
    added = torch.zeros(queries, keys, dtype=torch.float64)
    if mask is not None:
        added = torch.where(mask, 0.0, -torch.inf).double() if mask.dtype is torch.bool else mask
    hidden = torch.ones(queries, keys, dtype=torch.bool).triu(1) & causal
    return added.masked_fill(hidden, -torch.inf)


@pytest.mark.parametrize("name", ["none", "padding", "bias"])
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (1, 7), (4, 7)], ids=str)
@pytest.mark.parametrize("grad", [False, True], ids=["speaking", "training"])
def test_both_are_torchs_attention_and_have_its_gradients(
    name: str, causal: bool, queries: int, keys: int, grad: bool
) -> None:
    inputs = (heads(queries, 1), heads(keys, 2), heads(keys, 3))
    mask = masks(queries, keys)[name]
    with torch.set_grad_enabled(grad):
        expected = F.scaled_dot_product_attention(
            *inputs, attn_mask=as_torch_wants_it(mask, causal, queries, keys)
        )
        formula, weights = reference.attention(*inputs, mask, is_causal=causal)
        fastest, none = attention(*inputs, mask, is_causal=causal)
        shown, same = attention(*inputs, mask, is_causal=causal, needs_weights=True)
    for found in (formula, fastest, shown):
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
        if grad:
            for one, other in zip(
                torch.autograd.grad(found.sum(), inputs, retain_graph=True),
                torch.autograd.grad(expected.sum(), inputs, retain_graph=True),
                strict=True,
            ):
                torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
    assert same is not None
    torch.testing.assert_close(weights @ inputs[2], expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(same, weights, atol=0, rtol=0)
    assert none is None or torch.equal(none, weights)  # the formulas alone always have them


def test_dropout_of_the_formula_takes_a_share_of_the_weights() -> None:
    length = 64
    unit = torch.eye(length, dtype=torch.float64).expand(ROWS, HEADS, length, length)
    queries, keys = heads(length, 1).detach(), heads(length, 2).detach()
    whole, _ = reference.attention(queries, keys, unit)
    found, weights = reference.attention(queries, keys, unit, dropout=0.25)
    assert (found == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(found, whole / 0.75 * (found != 0), atol=1e-12, rtol=0)
    assert torch.equal(weights, found)
