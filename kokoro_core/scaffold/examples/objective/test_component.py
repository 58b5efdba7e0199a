"""What the component asks of a model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.objective.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=1, hidden_dim=16)


def test_the_changes_are_compared_where_there_is_no_padding() -> None:
    made = torch.tensor([[[1.0], [3.0], [2.0]], [[0.0], [1.0], [99.0]]])
    true = torch.tensor([[[0.0], [1.0], [4.0]], [[5.0], [5.0], [0.0]]])
    padding = torch.tensor([[False, False, False], [False, False, True]])
    output = SimpleNamespace(mel=made, loss=torch.tensor(7.0))
    batch = SimpleNamespace(mel_specs=true, mel_padding_mask=padding)
    objective = ExampleParams(weight=0.5).build(SIZES)
    terms = objective.loss("model", output, batch)
    # Changes made: 2, -1 and 1; true: 1, 3 and 0. Errors: 1, 4 and 1, half of whose mean counts.
    assert float(terms["changes"]) == pytest.approx(1.0)
    assert float(terms["own"]) == 7


def test_its_only_stage_moves_every_parameter_of_the_model() -> None:
    model = nn.Linear(2, 1)
    objective = ExampleParams().build(SIZES)
    [stage] = objective.stages()
    assert [*objective.parameters_of(stage, model)] == [*model.parameters()]
    assert not [*objective.parameters()]
