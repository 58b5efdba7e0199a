import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.positions.params import LearnedParams, NoPositionsParams


def learned(max_len=12, hidden_dim=4):
    torch.manual_seed(0)
    return LearnedParams(max_len=max_len).build(hidden_dim=hidden_dim, num_heads=2)


@settings(deadline=None, max_examples=25)
@given(positions=st.lists(st.integers(0, 11), min_size=1, max_size=6))
@example(positions=[11])
def test_each_position_adds_its_own_row_of_the_table(positions):
    module = learned().double()
    x = torch.randn(2, len(positions), 4, dtype=torch.float64)
    out = module.add(x, torch.tensor(positions))
    for t, position in enumerate(positions):
        for row in range(2):
            assert torch.equal(out[row, t], x[row, t] + module.table.weight[position])


def test_positions_may_differ_from_row_to_row():
    module = learned()
    x = torch.zeros(2, 3, 4)
    positions = torch.tensor([[0, 1, 2], [11, 3, 3]])
    out = module.add(x, positions)
    for row in range(2):
        assert torch.equal(out[row], module.table.weight[positions[row]])


def test_the_table_is_small_at_first_and_learns_where_it_was_read():
    module = learned(max_len=400, hidden_dim=50)
    assert module.table.weight.std().item() == pytest.approx(0.02, rel=0.05)
    module.add(torch.zeros(1, 2, 50), torch.tensor([3, 7])).sum().backward()
    read = module.table.weight.grad.abs().sum(1).nonzero().flatten()
    assert read.tolist() == [3, 7]


def test_a_sequence_longer_than_the_table_is_refused():
    module = learned(max_len=12)
    module.check_length(12)
    with pytest.raises(ValueError, match=r"knows 12 positions but the sequence has 13; raise"):
        module.check_length(13)


def test_no_positions_means_that_nothing_is_changed():
    module = NoPositionsParams().build(hidden_dim=4, num_heads=2)
    x, positions = torch.randn(1, 2, 3, 4), torch.arange(3)
    assert module.add(x[0], positions).equal(x[0])
    assert module.rotate(x, x, positions, positions) == (x, x)
    assert module.bias(positions, positions) is None
    assert module.content_bias(x, positions, positions) is None
    assert module.values(x, positions, positions) is None
    assert module.max_len is None
    assert list(module.parameters()) == []
