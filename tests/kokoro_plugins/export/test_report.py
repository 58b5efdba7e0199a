"""Differences of an export from its checkpoint."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.errors import ExportError
from kokoro_plugins.export.report import ExportReport, difference, refuse_far


def mel(*values: float) -> dict[str, torch.Tensor]:
    return {"mel": torch.tensor([[*values]]).unsqueeze(2)}


def test_the_largest_difference_and_the_largest_number_are_told():
    found = difference("x", 2, mel(1.0, -4.0), mel(1.5, -4.25))
    assert (found.largest, found.scale, found.frames, found.durations_off) == (0.5, 4.25, 2, 0)


def test_durations_are_counted_that_differ():
    made = mel(1.0) | {"durations": torch.tensor([[1, 2, 3]])}
    expected = mel(1.0) | {"durations": torch.tensor([[1, 3, 2]])}
    assert difference("x", 3, made, expected).durations_off == 2


def test_samples_are_compared_where_they_come_out():
    made, expected = {"samples": torch.zeros(1, 3)}, {"samples": torch.full((1, 3), 0.5)}
    found = difference("x", 1, made, expected)
    assert (found.largest, found.frames) == (0.5, None)
    plan = {"durations": torch.tensor([[2, 4]])}
    assert difference("x", 1, made | plan, expected | plan).frames == 6


@pytest.mark.parametrize("made", [mel(1.0), mel(float("nan"), 1.0)])
def test_another_number_of_frames_or_no_number_is_refused(made):
    with pytest.raises(ExportError, match=r"something else .* for x: `mel` of shape"):
        difference("x", 2, made, mel(1.0, 2.0))


def test_rounding_is_let_pass_and_more_is_refused():
    near = difference("x", 2, mel(1.0, 100.0), mel(1.0, 100.05))
    refuse_far((near,))
    far = difference("y", 2, mel(1.0, 100.0), mel(1.0, 100.2))
    with pytest.raises(ExportError, match=r"differs from its checkpoint for y by 0.2"):
        refuse_far((near, far))
    other = mel(1.0) | {"durations": torch.tensor([[1]])}
    off = difference("z", 1, other, other | {"durations": torch.tensor([[2]])})
    with pytest.raises(ExportError, match="durations of 1 phonemes"):
        refuse_far((off,))


def test_a_report_tells_the_largest_of_all_and_is_json():
    each = tuple(difference(name, 1, mel(1.0), mel(1.0 + by)) for name, by in (("a", 1), ("b", 2)))
    report = ExportReport("torch", (), each, {"operations": 3})
    assert report.largest == 2.0
    told = report.as_dict()
    assert (told["largest_difference"], told["operations"], told["differences"][1]["of"]) == (
        2,
        3,
        "b",
    )
