"""Marks have no sound: no search finds them, and each has a frame of the sound after it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core.contracts import Aligner
from kokoro_plugins.alignment.forward_sum import ForwardSum
from kokoro_plugins.alignment.marks import Sounds
from kokoro_plugins.alignment.prior_search import PriorSearch

ALIGNERS = {
    "forward_sum": lambda: ForwardSum(hidden_dim=6, mel_dim=5, channels=4, temperature=0.5),
    "prior_search": lambda: PriorSearch(hidden_dim=6, mel_dim=5, diagonal=1.0),
}
WITHOUT = torch.zeros(1, 4, dtype=torch.bool)


def aligned(
    aligner: Aligner, mark: Tensor | None, seed: int = 0, kept: tuple[int, ...] = (0, 1, 2, 3)
) -> Tensor:
    """Return the durations of some of four phonemes, which share a mel of eleven frames."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(1, 4, 6, generator=generator)[:, kept]
    mel = torch.randn(1, 11, 5, generator=generator)
    mel_mask = torch.zeros(1, 11, dtype=torch.bool)
    given_mark = {} if mark is None else {"mark": mark}
    mask = WITHOUT[:, : len(kept)]
    durations: Tensor = aligner(hidden, mask, mel, mel_mask, **given_mark).durations
    return durations


def by_hand(marks: list[bool], sounds: list[int]) -> list[int]:
    """Return the frames of all symbols, of those of the sounds, one after the other."""
    left = iter(sounds)
    frames = [0 if mark else next(left) for mark in marks]
    for at in range(len(marks) - 1):
        if marks[at] and frames[at + 1] >= 2 and not marks[at + 1]:
            frames[at], frames[at + 1] = 1, frames[at + 1] - 1
    return frames


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=9),
    st.integers(0, 3),
)
@example([(True, 1), (False, 1)], 0)
@example([(True, 1), (True, 1), (False, 4)], 1)
@example([(False, 3), (True, 1)], 2)
def test_a_mark_has_one_frame_of_the_sound_after_it(
    symbols: list[tuple[bool, int]], padding: int
) -> None:
    marks = [mark for mark, _ in symbols]
    if all(marks):
        marks[-1] = False
    sounds = [frames for (_, frames), mark in zip(symbols, marks, strict=True) if not mark]
    mask = torch.tensor([[False] * len(marks) + [True] * padding])
    found = Sounds.of(mask, torch.tensor([marks + [False] * padding]).long())
    durations = torch.tensor([sounds + [0] * (len(marks) - len(sounds) + padding)])
    assert found.durations(durations).tolist() == [by_hand(marks, sounds) + [0] * padding]
    assert (~found.padding_mask).sum() == len(sounds)


def test_a_row_of_marks_alone_keeps_them_since_something_must_fill_its_mel() -> None:
    mask = torch.tensor([[False, False], [False, True]])
    found = Sounds.of(mask, torch.ones(2, 2, dtype=torch.int64))
    assert found.padding_mask.tolist() == mask.tolist()
    assert found.order.tolist() == [[0, 1], [0, 1]]


def test_what_was_put_in_order_comes_back_with_nothing_at_the_marks() -> None:
    found = Sounds.of(WITHOUT, torch.tensor([[1, 0, 1, 0]]))
    scores = torch.arange(8.0).view(1, 4, 2)
    ordered = found.only(scores, 1)
    assert ordered[0, :2].tolist() == scores[0, [1, 3]].tolist()
    assert found.back(ordered, 1).equal(scores)  # the marks come last and go back as well
    across = found.only(scores.transpose(1, 2), 2)
    assert across.equal(ordered.transpose(1, 2))


@pytest.mark.parametrize("name", ALIGNERS)
@pytest.mark.parametrize("seed", range(4))
def test_with_marks_the_sounds_share_the_mel_as_if_they_were_alone(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    aligner = ALIGNERS[name]()
    found = aligned(aligner, torch.tensor([[0, 1, 0, 0]]), seed)[0]
    alone = aligned(aligner, None, seed, kept=(0, 2, 3))[0]
    assert [int(found[0]), int(found[1] + found[2]), int(found[3])] == alone.tolist()
    assert found[1] == (1 if found[1] + found[2] > 1 else 0)
    assert (found[[0, 2, 3]] >= 1).all()


@pytest.mark.parametrize("name", ALIGNERS)
def test_a_batch_without_marks_is_aligned_as_if_there_were_none(name: str) -> None:
    torch.manual_seed(0)
    aligner = ALIGNERS[name]()
    assert aligned(aligner, torch.zeros(1, 4, dtype=torch.int64)).equal(aligned(aligner, None))


def test_a_mark_has_no_probability_of_its_own() -> None:
    torch.manual_seed(0)
    mel_mask = torch.zeros(1, 7, dtype=torch.bool)
    mark = torch.tensor([[0, 1, 0, 0]])
    made = ALIGNERS["forward_sum"]()(
        torch.randn(1, 4, 6), WITHOUT, torch.randn(1, 7, 5), mel_mask, mark=mark
    )
    assert made.soft[0, :, 1].tolist() == [0.0] * 7
    torch.testing.assert_close(made.soft.sum(2), torch.ones(1, 7))


def test_a_mark_is_a_mark_or_none() -> None:
    padding = torch.tensor([[False, False, True]])
    assert Sounds.of(padding, torch.tensor([[0, 1, 7]])).order.tolist() == [[0, 1, 2]]
    with pytest.raises(ValueError, match=r"`mark` must be 1 at a phoneme without .* not 2\."):
        Sounds.of(padding, torch.tensor([[0, 2, 0]]))
