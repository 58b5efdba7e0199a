"""Attention in blocks, against torch's and against finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kokoro_core.api import KokoroModel
from kokoro_core.kernels import attention_tiles as tiles
from kokoro_core.kernels import blockwise_attention as blockwise
from kokoro_core.kernels import cpu
from kokoro_core.kernels.blockwise_attention import attend_in_blocks, prefer_blockwise
from kokoro_core.kernels.cpu import Processor
from kokoro_core.spec.load import load_spec
from kokoro_core.tensors.masks import attend_mask, padding_mask_from_lengths

ROWS, HEADS, QUERIES, KEYS, DIM = 3, 4, 9, 11, 6


@pytest.fixture(params=[1 << 23, 480, 8], ids=["one block", "small blocks", "a query a block"])
def _sizes_of_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise, "CACHE", request.param)
    monkeypatch.setattr(tiles, "CAUSAL_QUERIES", 4)


def heads(length: int, seed: int) -> Tensor:
    """Return (B, heads, T, H/heads), in memory (B, T, heads, H/heads) as a projection leaves it."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(ROWS, length, HEADS, DIM, generator=generator, dtype=torch.float64)
    return made.transpose(1, 2).requires_grad_()


def padding(lengths: list[int]) -> Tensor:
    return attend_mask(padding_mask_from_lengths(torch.tensor(lengths), KEYS))


HOLES = torch.arange(KEYS).remainder(3).ne(1).expand(ROWS, 1, 1, KEYS)
BIAS = torch.linspace(-2, 2, HEADS * QUERIES * KEYS, dtype=torch.float64)
MASKS = {
    "none": None,
    "padding": padding([KEYS, 1, 7]),
    "little padding": padding([KEYS - 1, KEYS - 2, KEYS]),
    "holes": HOLES,
    "bias": BIAS.view(HEADS, QUERIES, KEYS),
    "bias of keys": BIAS[:KEYS].view(1, 1, KEYS),
    "padding of queries": padding([3, 5, KEYS]).expand(-1, HEADS, QUERIES, -1),
}


@pytest.mark.usefixtures("_sizes_of_blocks")
@pytest.mark.parametrize("name", MASKS)
def test_it_is_torchs_attention_forwards_and_backwards(name: str) -> None:
    inputs = (heads(QUERIES, 1), heads(KEYS, 2), heads(KEYS, 3))
    expected = F.scaled_dot_product_attention(*inputs, attn_mask=MASKS[name])
    found = attend_in_blocks(*inputs, MASKS[name])
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    same_gradients(found, expected, inputs)


@pytest.mark.usefixtures("_sizes_of_blocks")
def test_causal_it_is_torchs_attention_forwards_and_backwards() -> None:
    inputs = (heads(QUERIES, 0), heads(QUERIES, 1), heads(QUERIES, 2))
    expected = F.scaled_dot_product_attention(*inputs, is_causal=True)
    found = attend_in_blocks(*inputs, None, is_causal=True)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    same_gradients(found, expected, inputs)


def same_gradients(found: Tensor, expected: Tensor, inputs: tuple[Tensor, ...]) -> None:
    grad = torch.randn_like(found)
    for one, other in zip(
        torch.autograd.grad(found, inputs, grad),
        torch.autograd.grad(expected, inputs, grad),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


@pytest.mark.usefixtures("_sizes_of_blocks")
@pytest.mark.parametrize("kind", ["bool", "added"])
def test_a_query_from_which_every_key_is_hidden_is_0_as_torchs_and_harms_no_gradient(
    kind: str,
) -> None:
    mask = HOLES.expand(-1, HEADS, QUERIES, -1).clone()
    mask[1, :, 2] = False
    mask[2, 0] = False
    if kind == "added":
        mask = torch.where(mask, 0.0, -torch.inf).double()
    inputs = (heads(QUERIES, 1), heads(KEYS, 2), heads(KEYS, 3))
    expected = F.scaled_dot_product_attention(*inputs, attn_mask=mask)
    found = attend_in_blocks(*inputs, mask)
    assert not found[1, :, 2].any()
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    same_gradients(found, expected, inputs)


@pytest.mark.parametrize("causal", [False, True])
def test_without_queries_there_is_no_result_and_no_gradient(causal: bool) -> None:
    inputs = (heads(0, 1), heads(KEYS, 2), heads(KEYS, 3))
    found = attend_in_blocks(*inputs, None, is_causal=causal)
    assert found.shape == (ROWS, HEADS, 0, DIM)
    for grad in torch.autograd.grad(found.sum(), inputs):
        assert not grad.any()


def test_a_row_that_may_see_nothing_is_0() -> None:
    inputs = (heads(QUERIES, 1), heads(KEYS, 2), heads(KEYS, 3))
    found = attend_in_blocks(*inputs, padding([2, 0, 1]))
    found.sum().backward()
    assert (found[1] == 0).all()
    for each in inputs:
        assert each.grad is not None
        assert (each.grad[1] == 0).all()


@pytest.mark.usefixtures("_sizes_of_blocks")
@pytest.mark.parametrize("lengths", [[KEYS, 1, 7], [KEYS - 1, KEYS - 2, KEYS]], ids=str)
def test_what_lies_past_a_rows_end_is_never_looked_at(lengths: list[int]) -> None:
    mask = padding(lengths)
    queries, keys, values = (heads(n, n).detach() for n in (QUERIES, KEYS, KEYS))
    expected = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    for row, end in enumerate(lengths):
        for each in (keys, values):
            each[row, :, end:] = torch.nan
    inputs = (queries.requires_grad_(), keys.requires_grad_(), values.requires_grad_())
    found = attend_in_blocks(*inputs, mask)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    for each in torch.autograd.grad(found.sum(), inputs):
        assert each.isfinite().all()


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([9, 9, 10, 10, 10], [2, 2, 1]),
        ([10, 2, 2, 2, 2], [1, 4]),
        ([10, 0, 10, 10, 9], [1, 1, 2, 1]),
        ([11, 11, 11, 11, 11], [2, 2, 1]),
    ],
    ids=str,
)
def test_rows_of_nearly_one_length_share_a_block_up_to_half_its_size(
    lengths: list[int], groups: list[int]
) -> None:
    queries = torch.zeros(5, HEADS, QUERIES, DIM, dtype=torch.float64)
    keys = torch.zeros(5, HEADS, 11, DIM, dtype=torch.float64)
    two_rows = 2 * HEADS * QUERIES * 11 * 8
    plan = tiles.TilePlan.of(queries, keys, padding(lengths), False, 2 * two_rows)
    found = list(plan.groups())
    assert [each.stop - each.start for each in found] == groups
    assert [each.start for each in found] == [sum(groups[:n]) for n in range(len(groups))]


@pytest.mark.parametrize("causal", [False, True])
def test_dropout_takes_a_share_of_the_weights(causal: bool) -> None:
    length = 64
    queries, keys = heads(length, 1).detach(), heads(length, 2).detach()
    unit = torch.eye(length, dtype=torch.float64).expand(ROWS, HEADS, length, length)
    weights = F.scaled_dot_product_attention(queries, keys, unit, is_causal=causal)
    found = attend_in_blocks(queries, keys, unit, None, is_causal=causal, dropout=0.25)
    dropped = (found == 0)[weights != 0]
    assert dropped.double().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(found, weights / 0.75 * (found != 0), atol=1e-12, rtol=0)


@pytest.mark.usefixtures("_sizes_of_blocks")
@pytest.mark.parametrize("name", ["none", "padding", "little padding"])
def test_the_gradients_under_dropout_are_those_of_finite_differences(name: str) -> None:
    inputs = [heads(length, length)[:2, :2, :, :2] for length in (3, KEYS, KEYS)]
    mask = MASKS[name]

    def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        torch.manual_seed(4)
        rows = None if mask is None else mask[1:]
        return attend_in_blocks(queries, keys, values, rows, dropout=0.3)

    leaves = [each.detach().requires_grad_() for each in inputs]
    assert torch.autograd.gradcheck(attend, leaves, fast_mode=True)


@pytest.mark.fast_kernels
def test_it_serves_training_on_the_cpu_where_the_fused_kernel_is_slow() -> None:
    single = heads(4, 0).detach().float().requires_grad_()
    half = single.detach().bfloat16().requires_grad_()
    assert prefer_blockwise(single, single, None, 0.1)
    assert not prefer_blockwise(single, single, None, 0.0)
    assert not prefer_blockwise(single, single, None, 1.0)
    assert prefer_blockwise(half, half, None, 0.0)
    assert prefer_blockwise(half, half, MASKS["padding"], 0.0)
    assert not prefer_blockwise(half, half, torch.zeros(4, 4, requires_grad=True), 0.1)
    assert not prefer_blockwise(half.detach(), half.detach(), None, 0.1)
    with torch.no_grad():
        assert not prefer_blockwise(half, half, None, 0.1)


class Products(TorchDispatchMode):
    """Notes the types of what is multiplied in batches of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.types: set[torch.dtype] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if "bmm" in str(func):
            self.types |= {each.dtype for each in args if isinstance(each, Tensor)}
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", ["none", "padding", "bias"])
def test_bfloat16_is_multiplied_in_float32_where_onednn_does_not_multiply_it(
    name: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Processor("avx2", onednn=True, bfloat16_products=fast)
    monkeypatch.setattr(cpu, "processor", lambda: facts)
    exact = (heads(QUERIES, QUERIES), heads(KEYS, KEYS), heads(KEYS, KEYS))
    queries, keys, values = (each.detach().bfloat16().requires_grad_() for each in exact)
    mask = MASKS[name]
    expected = F.scaled_dot_product_attention(*exact, attn_mask=mask)
    if mask is not None and mask.dtype is not torch.bool:
        mask = mask.bfloat16()
    with Products() as products:
        found = attend_in_blocks(queries, keys, values, mask)
        gradients = torch.autograd.grad(found.sum(), (queries, keys, values))
    assert products.types == {torch.bfloat16 if fast else torch.float32}
    assert {found.dtype, *(each.dtype for each in gradients)} == {torch.bfloat16}
    torch.testing.assert_close(found.double(), expected, atol=0.05, rtol=0.05)
    for one, other in zip(torch.autograd.grad(expected.sum(), exact), gradients, strict=True):
        torch.testing.assert_close(other.double(), one, atol=0.1, rtol=0.1)


class Largest(TorchDispatchMode):
    """Notes the largest tensor that an operation returns."""

    num = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                self.num = max(self.num, each.untyped_storage().nbytes())
        return result


@pytest.mark.fast_kernels
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16 autocast"])
@pytest.mark.parametrize("name", ["small", "parallel"])
def test_a_training_step_has_no_tensor_of_all_weights(
    name: str, half: bool, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise, "CACHE", 16384)
    rows, frames, width = 2, 144, 16
    sizes: dict[str, Any] = {"hidden_dim": width, "gradient_checkpointing": None}
    for stack in ("encoder", "decoder"):
        few = {"num_layers": 1, "ff_dim": 2 * width, "num_heads": 4, "dropout": dropout}
        sizes |= {f"{stack}.{key}": value for key, value in few.items()}
        sizes[f"{stack}.positional_encoding.max_len"] = frames
    if name == "parallel":
        sizes["duration_predictor.channels"] = width
    model = KokoroModel.from_spec(load_spec(name, overrides=sizes)).train()
    phonemes = torch.randint(1, 60, (rows, 12))
    durations = torch.full((rows, 12), frames // 12)
    mels = torch.randn(rows, frames, 80)
    with Largest() as largest:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            output = model(phonemes, mels, durations)
        output.loss.backward()
    all_weights = rows * 4 * frames * frames * (2 if half else 4)
    assert 4 * rows * frames * 80 <= largest.num < all_weights / 3


def test_results_and_gradients_lie_in_memory_as_a_projection_has_them() -> None:
    inputs = (heads(QUERIES, 1), heads(KEYS, 2), heads(KEYS, 3))
    found = attend_in_blocks(*inputs, MASKS["padding"], dropout=0.1)
    for each in (found, *torch.autograd.grad(found.sum(), inputs)):
        assert each.transpose(1, 2).is_contiguous()  # (B, T, heads, H/heads): joined without a copy
