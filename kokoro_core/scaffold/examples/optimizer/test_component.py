"""Where the component moves weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kokoro_core.scaffold.examples.optimizer.params import ExampleParams


def test_two_steps_are_those_of_the_formula() -> None:
    layer = nn.Linear(2, 1, bias=False)
    nn.init.ones_(layer.weight)
    params = ExampleParams(lr=0.1, ahead=0.5, momentum=0.75, weight_decay=0.5)
    optimizer = params.build([*layer.parameters()], layer)
    for gradient in ([4.0, -1.0], [-0.8, -3.0]):
        layer.weight.grad = torch.tensor([gradient])
        optimizer.step()
    # First step: 1 - 0.1 * 0.5 * 1 = 0.95, then 0.1 against the gradient's sign: 0.85 and 1.05.
    # The momentum is a quarter of that gradient, 1 and -0.25, so the second step's direction is
    # the sign of (1 - 0.8) / 2 and of (-0.25 - 3) / 2: another sign than its first gradient's.
    assert layer.weight.tolist()[0] == pytest.approx([0.85 * 0.95 - 0.1, 1.05 * 0.95 + 0.1])


def test_what_has_no_gradient_stays() -> None:
    layer = nn.Linear(2, 1)
    before = [each.clone() for each in layer.parameters()]
    ExampleParams().build([*layer.parameters()], layer).step()
    assert all(map(torch.equal, before, layer.parameters()))


def test_its_state_goes_on_where_it_was_saved() -> None:
    layers = nn.Linear(2, 1), nn.Linear(2, 1)
    layers[1].load_state_dict(layers[0].state_dict())
    first, second = (ExampleParams().build([*each.parameters()], each) for each in layers)
    layers[0](torch.ones(1, 2)).sum().backward()
    first.step()
    second.load_state_dict(first.state_dict())
    layers[1].load_state_dict(layers[0].state_dict())
    for layer, optimizer in zip(layers, (first, second), strict=True):
        optimizer.zero_grad()
        layer(-torch.ones(1, 2)).sum().backward()
        optimizer.step()
    assert torch.equal(layers[0].weight, layers[1].weight)
