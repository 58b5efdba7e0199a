"""Lengths and padding masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.tensors.masks import (
    add_bias,
    attend_mask,
    causal_mask,
    check_padding_mask,
    lengths_from_padding_mask,
    padding_mask_from_lengths,
    zero_padding,
)


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), extra=st.integers(0, 3))
@example(lengths=[1], extra=0)
@example(lengths=[2, 9, 2], extra=3)
def test_a_padding_mask_is_true_exactly_past_each_length(lengths: list[int], extra: int) -> None:
    num = max(lengths) + extra
    mask = padding_mask_from_lengths(torch.tensor(lengths), num)
    assert mask.tolist() == [[position >= length for position in range(num)] for length in lengths]
    assert lengths_from_padding_mask(mask).tolist() == lengths


def test_zero_padding_removes_what_a_product_would_keep() -> None:
    x = torch.tensor([[[1.0], [float("nan")]], [[float("inf")], [2.0]]])
    mask = torch.tensor([[False, True], [True, False]])
    assert zero_padding(x, mask).tolist() == [[[1.0], [0.0]], [[0.0], [2.0]]]
    assert zero_padding(x[..., 0], mask).tolist() == [[1.0, 0.0], [0.0, 2.0]]


def test_attention_may_go_where_no_padding_is() -> None:
    mask = padding_mask_from_lengths(torch.tensor([1, 3]), 3)
    allowed = attend_mask(mask)
    assert allowed.shape == (2, 1, 1, 3)
    assert allowed[:, 0, 0].tolist() == [[True, False, False], [True, True, True]]


def test_causal_attention_sees_its_own_position_and_the_ones_before() -> None:
    seen = causal_mask(torch.tensor([2, 3]), torch.arange(4))
    assert seen.tolist() == [[True, True, True, False], [True, True, True, True]]


def test_a_bias_joined_with_a_mask_is_minus_infinity_where_nothing_may_be_seen() -> None:
    allowed = torch.tensor([[True, False]])
    bias = torch.tensor([[0.5, 0.25]])
    joined = add_bias(allowed, bias)
    assert joined is not None
    assert joined.tolist() == [[0.5, float("-inf")]]
    assert add_bias(None, bias) is bias
    assert add_bias(allowed, None) is allowed
    assert torch.equal(add_bias(bias, bias), bias * 2)  # type: ignore[arg-type]


def test_a_mask_that_is_not_bool_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`padding_mask` must be bool of shape \(1, 2\)"):
        check_padding_mask("padding_mask", torch.zeros(1, 2), (1, 2))


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not torch.bool of shape \(1, 3\)"):
        check_padding_mask("padding_mask", torch.zeros(1, 3, dtype=torch.bool), (1, 2))


def test_a_row_of_padding_alone_is_refused_by_its_number() -> None:
    mask = torch.tensor([[False, True], [True, True]])
    with pytest.raises(ValueError, match="row 1 is all padding"):
        check_padding_mask("padding_mask", mask, (2, 2))


def test_padding_inside_a_row_is_refused_by_its_number() -> None:
    mask = torch.tensor([[False, False, False], [False, True, False]])
    with pytest.raises(ValueError, match="row 1 has padding before its end"):
        check_padding_mask("padding_mask", mask, (2, 3))


def test_the_values_of_a_mask_on_meta_are_not_looked_at() -> None:
    check_padding_mask("padding_mask", torch.ones(1, 2, dtype=torch.bool, device="meta"), (1, 2))
