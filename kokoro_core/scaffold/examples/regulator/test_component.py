"""What the component computes."""

from __future__ import annotations

import torch

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.regulator.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=1)


def test_each_vector_is_there_for_as_many_frames_as_its_phoneme_lasts() -> None:
    regulator = ExampleParams().build(SIZES)
    hidden = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    padding_mask = torch.tensor([[False, False, False], [False, False, True]])
    plan = regulator.plan(hidden, torch.tensor([[2, 0, 1], [1, 3, 9]]), padding_mask)
    assert plan.lengths.tolist() == [3, 4]
    memory = regulator.expand(plan, hidden)
    assert memory.squeeze(2).tolist() == [[1, 1, 3, 0], [4, 5, 5, 5]]
