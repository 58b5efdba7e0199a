"""Matrix products, counted by hand, and those of a training step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from kokoro_core import assemble, load_spec
from kokoro_core.cost.estimate import Workload
from kokoro_core.cost.products import Products
from kokoro_core.kernels import Linear, cpu
from kokoro_core.kernels.choice import by_reference

A, B = torch.randn(3, 5), torch.randn(5, 7)
MANY, OTHERS = torch.randn(2, 3, 5), torch.randn(2, 5, 7)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda: A @ B, 3 * 5 * 7),
        (lambda: torch.addmm(torch.zeros(7), A, B), 3 * 5 * 7),
        (lambda: torch.bmm(MANY, OTHERS), 2 * 3 * 5 * 7),
        (lambda: torch.zeros(2, 3, 7).baddbmm_(MANY, OTHERS), 2 * 3 * 5 * 7),
        (lambda: (A + A, A.softmax(-1), A.sum()), 0),
    ],
)
def test_each_kind_of_product_multiplies_as_often_as_by_hand(
    work: Callable[[], object], expected: int
) -> None:
    with Products() as products:
        work()
    assert products.multiply_adds == expected


def test_a_linear_layer_multiplies_three_times_in_training_by_whatever_library() -> None:
    layer, x = Linear(5, 7), torch.randn(2, 3, 5, requires_grad=True)
    with Products() as products:
        layer(x).sum().backward()
    # its result, and the gradients of its input and of its weight
    assert products.multiply_adds == 3 * 6 * 5 * 7
    names = {each.run._schema.name for each in products.found}
    assert ("mkldnn::_linear_pointwise" in names) == cpu.has_onednn()


def test_alone_the_same_products_run_and_nothing_else() -> None:
    layer = nn.Sequential(Linear(5, 7), nn.ReLU(), Linear(7, 2))
    with Products() as products:
        layer(torch.randn(4, 5)).sum().backward()
    alone = products.alone()
    with Products() as again:
        alone()
    assert again.found == products.found


def test_operands_lie_in_memory_as_they_did() -> None:
    with Products() as products:
        A.t().contiguous().t() @ B
    [product] = products.found
    assert (product.args[0].shape, product.args[0].strides) == ((3, 5), (1, 3))


def test_a_training_step_multiplies_as_often_as_its_layers_by_hand() -> None:
    size = {"encoder.dropout": 0.0, "decoder.dropout": 0.0, "gradient_checkpointing": None}
    spec = load_spec("small", overrides=size)
    rows, phonemes, frames, width = 2, 8, 48, spec.sizes.hidden_dim
    model = assemble(spec, device="cpu").train()
    batch = Workload(rows=rows, phonemes=phonemes, frames=frames).batch(spec, "cpu")
    with Products() as products:
        model(batch).mel.sum().backward()
    layer = 4 * width**2 + 2 * width * 1024
    hidden, memory = rows * phonemes, rows * frames
    encoder = 3 * hidden * layer
    crossed = 3 * hidden + 2 * frames  # the memory's keys and values; positions learn nothing
    if by_reference():
        crossed = 3 * memory
    decoder = 3 * memory * (layer + 2 * width**2) + crossed * 2 * width**2
    ends = memory * width * spec.mel_dim
    linear = 3 * (encoder + decoder + 2 * ends) - ends
    # attention, the stop token and the duration predictor: at most so much more
    assert linear <= products.multiply_adds <= 1.1 * linear
