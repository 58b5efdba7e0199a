from __future__ import annotations

import pytest
import torch
from torch import nn

from kokoro_core.nn.recurrent import BidirectionalLstm, run_lstm


def torchs_own(block):
    """Return torch's bidirectional LSTM with the weights of a block."""
    layers, width = len(block.rightward), block.width // 2
    input_dim = block.rightward[0].input_size
    lstm = nn.LSTM(input_dim, width, layers, batch_first=True, bidirectional=True).double()
    for suffix, ways in (("", block.rightward), ("_reverse", block.leftward)):
        for layer, way in enumerate(ways):
            for name, value in way.named_parameters():
                lstm.get_parameter(name.replace("_l0", f"_l{layer}{suffix}")).data.copy_(value)
    return lstm


@pytest.mark.parametrize("num_layers", [1, 3])
def test_each_row_is_what_torchs_bidirectional_lstm_makes_of_it_alone(num_layers):
    torch.manual_seed(0)
    block = BidirectionalLstm(input_dim=3, width=8, num_layers=num_layers).double()
    lstm, lengths = torchs_own(block), [5, 1, 7, 0]
    x = torch.randn(4, 9, 3, dtype=torch.float64)
    mask = torch.arange(9) >= torch.tensor(lengths)[:, None]
    made = block(x.masked_fill(mask.unsqueeze(2), torch.nan), mask)
    for row, length in enumerate(lengths):
        assert (made[row, length:] == 0).all()
        if length:
            alone, _ = lstm(x[row : row + 1, :length])
            torch.testing.assert_close(made[row, :length], alone[0], rtol=1e-12, atol=1e-14)


def test_no_steps_give_no_steps():
    block = BidirectionalLstm(input_dim=3, width=4)
    assert block(torch.zeros(2, 0, 3), torch.zeros(2, 0, dtype=torch.bool)).shape == (2, 0, 4)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="`width` must be even, half for each direction, not 5"):
        BidirectionalLstm(input_dim=3, width=5)


def test_under_autocast_an_lstm_runs_in_the_precision_of_its_weights():
    torch.manual_seed(0)
    lstm, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3).bfloat16()
    before = (torch.randn(1, 2, 4).bfloat16(), torch.randn(1, 2, 4).bfloat16())
    expected, (hidden, cell) = lstm(x.float(), (before[0].float(), before[1].float()))
    with torch.autocast("cpu", torch.bfloat16):
        made = run_lstm(lstm, x, before)
    torch.testing.assert_close(made, (expected, (hidden, cell)), rtol=0, atol=0)


def test_without_autocast_an_lstm_keeps_its_own_rules():
    lstm = nn.LSTM(3, 4, batch_first=True)
    with pytest.raises(ValueError, match="does not match weight dtype"):
        run_lstm(lstm, torch.zeros(1, 2, 3).double())
