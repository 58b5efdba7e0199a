"""Attention against torch's own, and its cache."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.kernels.blockwise_attention import prefer_blockwise
from kokoro_core.kernels.choice import by_reference
from kokoro_core.kernels.single_query import prefer_single_query
from kokoro_core.nn.attention import MultiheadAttention, make_scope
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.tensors.masks import padding_mask_from_lengths

DIM, HEADS = 8, 2
NONE = PositionalEncoding()


class Biased(PositionalEncoding):
    """A bias for all layers: the negative distance."""

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        return -(q_positions.unsqueeze(-1) - k_positions).abs().double()


class ByContent(PositionalEncoding):
    """Shaw's keys and values: a vector for each distance, clipped (Shaw et al., 2018)."""

    uses_weights = True

    def __init__(self, reach: int = 2) -> None:
        super().__init__()
        self.reach = reach
        self.keys = nn.Parameter(torch.randn(2 * reach + 1, DIM // HEADS, dtype=torch.float64))
        self.added = nn.Parameter(torch.randn(2 * reach + 1, DIM // HEADS, dtype=torch.float64))

    def _distance(self, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        distance = k_positions - q_positions.unsqueeze(-1)
        return distance.clamp(-self.reach, self.reach) + self.reach

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        keys = self.keys[self._distance(q_positions, k_positions)]
        return torch.einsum("bhqd,qkd->bhqk", q, keys) / math.sqrt(q.shape[-1])

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        added = self.added[self._distance(q_positions, k_positions)]
        return torch.einsum("bhqk,qkd->bhqd", weights, added)


def attention() -> MultiheadAttention:
    return MultiheadAttention(hidden_dim=DIM, num_heads=HEADS).double().eval()


def peer(ours: MultiheadAttention) -> nn.MultiheadAttention:
    """Return torch's attention with the same weights."""
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True).double().eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    return theirs


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_it_is_torchs_attention_with_the_padding_of_the_keys_masked(lengths: list[int]) -> None:
    ours, num = attention(), max(lengths)
    x, memory = torch.randn(len(lengths), 4, DIM).double(), torch.randn(len(lengths), num, DIM)
    mask = padding_mask_from_lengths(torch.tensor(lengths), num)
    scope = make_scope(NONE, torch.arange(4), torch.arange(num), key_padding_mask=mask)
    expected, _ = peer(ours)(x, memory.double(), memory.double(), key_padding_mask=mask)
    torch.testing.assert_close(ours(x, memory.double(), scope), expected, atol=1e-9, rtol=0)


def test_causal_attention_is_torchs_and_needs_no_mask() -> None:
    ours, x = attention(), torch.randn(2, 5, DIM, dtype=torch.float64)
    positions = torch.arange(5)
    scope = make_scope(NONE, positions, positions, causal=True)
    assert scope.mask is None
    assert scope.is_causal
    above = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected, _ = peer(ours)(x, x, x, attn_mask=above)
    torch.testing.assert_close(ours(x, x, scope), expected, atol=1e-9, rtol=0)


def test_a_bias_is_added_to_the_scores_before_the_softmax() -> None:
    ours, x = attention(), torch.randn(1, 5, DIM, dtype=torch.float64)
    positions = torch.arange(5)
    scope = make_scope(Biased(), positions, positions, causal=True)
    bias = -(positions.unsqueeze(-1) - positions).abs().double()
    bias = bias.masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), float("-inf"))
    expected, _ = peer(ours)(x, x, x, attn_mask=bias)
    torch.testing.assert_close(ours(x, x, scope), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_content_bias_and_values_are_shaws_relative_attention(causal: bool) -> None:
    ours, encoding = attention(), ByContent()
    x = torch.randn(1, 4, DIM, dtype=torch.float64)
    positions = torch.arange(4)
    found = ours(x, x, make_scope(encoding, positions, positions, causal=causal))
    queries = ours.query(x).view(4, HEADS, -1)
    keys, values = (part.view(4, HEADS, -1) for part in ours.key_value(x).chunk(2, -1))
    rows = []
    for i in range(4):
        heads = []
        for head in range(HEADS):
            scores, added = [], []
            for j in range(4 if not causal else i + 1):
                place = max(-2, min(2, j - i)) + 2
                scores.append(queries[i, head] @ (keys[j, head] + encoding.keys[place]))
                added.append(values[j, head] + encoding.added[place])
            weights = (torch.stack(scores) / math.sqrt(DIM // HEADS)).softmax(0)
            heads.append(weights @ torch.stack(added))
        rows.append(torch.cat(heads))
    expected = ours.out(torch.stack(rows)).unsqueeze(0)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("encoding", [NONE, Biased(), ByContent()])
@pytest.mark.parametrize("chunks", [[1] * 6, [6], [2, 3, 1], [1, 5]])
def test_attention_with_a_cache_in_chunks_is_attention_at_once(
    encoding: PositionalEncoding, chunks: list[int]
) -> None:
    ours, x = attention(), torch.randn(2, 6, DIM, dtype=torch.float64)
    positions = torch.arange(6)
    expected = ours(x, x, make_scope(encoding, positions, positions, causal=True))
    cache = KeyValueCache.empty(x, num_heads=HEADS, head_dim=DIM // HEADS, max_len=6)
    found, start = [], 0
    for size in chunks:
        seen = positions[: start + size]
        room = positions[: cache.capacity_for(start + size)]
        scope = make_scope(encoding, seen[start:], room, causal=True)
        part = x[:, start : start + size]
        keys, values = ours.project_memory(part, encoding, seen[start:])
        found.append(ours.attend(part, *cache.write(keys, values, start), scope))
        start += size
    torch.testing.assert_close(torch.cat(found, 1), expected, atol=1e-9, rtol=0)


def test_a_memory_may_have_another_width() -> None:
    ours = MultiheadAttention(hidden_dim=DIM, num_heads=HEADS, memory_dim=3)
    scope = make_scope(NONE, torch.arange(2), torch.arange(4))
    assert ours(torch.randn(1, 2, DIM), torch.randn(1, 4, 3), scope).shape == (1, 2, DIM)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="`num_heads` must divide `hidden_dim`, but 8 / 3"):
        MultiheadAttention(hidden_dim=8, num_heads=3)


def test_the_square_matrices_are_drawn_each_for_itself() -> None:
    ours = MultiheadAttention(hidden_dim=64, num_heads=2)
    bound = math.sqrt(6 / 128)
    for weight in (ours.query.weight, *ours.key_value.weight.chunk(2), ours.out.weight):
        assert weight.abs().max().item() <= bound
        assert weight.abs().max().item() > 0.95 * bound
    assert ours.query.bias.abs().max().item() == 0


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("encoding", [NONE, Biased()])
def test_training_in_bfloat16_on_the_cpu_attends_as_the_fused_kernel_does(
    causal: bool, encoding: PositionalEncoding
) -> None:
    ours = attention()
    x = torch.randn(2, 6, DIM, dtype=torch.float64)
    mask = padding_mask_from_lengths(torch.tensor([6, 4]), 6)
    positions = torch.arange(6)
    scope = make_scope(
        encoding, positions, positions, key_padding_mask=None if causal else mask, causal=causal
    )
    expected = ours(x, x, scope)
    ours.float()
    with torch.autocast("cpu", torch.bfloat16):
        queries = ours.query(x.float())
        assert prefer_blockwise(queries, queries, scope.mask, 0.0) is not by_reference()
        found = ours(x.float(), x.float(), scope)
    torch.testing.assert_close(found.double(), expected, atol=0.05, rtol=0.05)


def test_the_fused_kernel_is_used_wherever_it_is_not_slower() -> None:
    one, more = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 4, 2)
    assert prefer_single_query(one)
    assert not prefer_single_query(more)
    assert not prefer_single_query(one.to("meta"))
    assert not prefer_single_query(one.requires_grad_())
    with torch.no_grad():
        assert prefer_single_query(one)


@pytest.mark.parametrize("encoding", [ByContent(), Biased(), NONE])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_row_without_a_key_gets_nothing_and_spoils_no_gradient(
    encoding: PositionalEncoding, causal: bool, dropout: float
) -> None:
    ours = attention().train()
    ours.dropout = dropout
    x = torch.randn(2, 4, DIM, dtype=torch.float64, requires_grad=True)
    at = torch.arange(4)
    lengths = torch.tensor([3, 0])
    mask = padding_mask_from_lengths(lengths, 4)
    scope = make_scope(encoding, at, at, key_padding_mask=mask, causal=causal)
    result = ours(x, x, scope)
    nothing = ours.out.bias.detach().expand(4, DIM)  # the projection of 0
    torch.testing.assert_close(result[1], nothing)
    result.square().sum().backward()
    wanted = [x, *ours.parameters(), *encoding.parameters()]
    assert all(each.grad is not None and each.grad.isfinite().all() for each in wanted)


def test_a_row_without_a_key_changes_nothing_in_the_others() -> None:
    ours, encoding, at = attention(), ByContent(), torch.arange(4)
    x = torch.randn(2, 4, DIM, dtype=torch.float64)
    mask = padding_mask_from_lengths(torch.tensor([3, 0]), 4)
    both = ours(x, x, make_scope(encoding, at, at, key_padding_mask=mask))
    alone = ours(x[:1], x[:1], make_scope(encoding, at, at, key_padding_mask=mask[:1]))
    torch.testing.assert_close(both[:1], alone)
