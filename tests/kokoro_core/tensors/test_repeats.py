"""What a tensor is made of stays noted as long as it is that tensor, unchanged."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.tensors.repeats import note_repeats, repeats_of

TABLE = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
INDEX = torch.tensor([[0, 0, 1]])


def noted() -> Tensor:
    return note_repeats(TABLE[INDEX], TABLE, INDEX)


def test_what_is_noted_of_a_tensor_is_found_again() -> None:
    found = repeats_of(noted())
    assert found is not None
    assert found.table is TABLE
    assert found.index is INDEX


def test_of_an_ordinary_tensor_nothing_is_known() -> None:
    assert repeats_of(TABLE[INDEX]) is None


def test_whatever_is_made_of_a_noted_tensor_has_no_note() -> None:
    x = noted()
    for made in (x + 0, x.clone(), x.detach(), x.view(1, 3, 2), x[:], x.masked_fill(x > 3, 0)):
        assert repeats_of(made) is None


def test_a_tensor_that_is_written_to_is_another_one() -> None:
    x = noted()
    x[0, 0] = 7
    assert repeats_of(x) is None


def test_in_inference_mode_where_writes_are_not_counted_nothing_is_noted() -> None:
    with torch.inference_mode():
        x = noted()
        assert torch.equal(x, TABLE[INDEX])
        assert repeats_of(x) is None
    assert repeats_of(x) is None


def test_within_a_graph_nothing_is_noted() -> None:
    def inside(table: Tensor) -> Tensor:
        x = note_repeats(table[INDEX], table, INDEX)
        return x if repeats_of(x) is None else x * 0

    compiled = torch.compile(inside, backend="eager", fullgraph=True)
    assert torch.equal(compiled(TABLE), TABLE[INDEX])
