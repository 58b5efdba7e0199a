"""The one shift."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.nn.shift import shift_right


@given(num=st.integers(1, 9), r=st.integers(1, 4))
@example(num=1, r=3)
@example(num=5, r=2)
def test_each_group_is_fed_the_group_before_it_and_the_first_zeros(num: int, r: int) -> None:
    mel = torch.arange(1.0, num + 1).view(1, num, 1)
    fed = shift_right(mel, r)[0, :, 0].tolist()
    groups = -(-num // r)
    padded = list(range(1, num + 1)) + [0] * (groups * r - num)
    assert fed == [0] * r + padded[: (groups - 1) * r]


@pytest.mark.parametrize("r", [1, 2])
def test_the_last_frame_is_fed_to_nothing(r: int) -> None:
    mel = torch.randn(2, 4, 3)
    changed = mel.clone()
    changed[:, -1] = 99
    assert torch.equal(shift_right(mel, r), shift_right(changed, r))
