import itertools
import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.training.data.batching import (
    JITTER,
    LengthBatches,
    Position,
    cut,
    in_order_of_length,
    padding_share,
    round_up,
    uniforms,
)

lengths_of = st.lists(st.integers(1, 400), min_size=1, max_size=60)


@given(lengths=lengths_of, frames=st.integers(1, 2500), seed=st.integers(0, 3))
@example(lengths=[1], frames=1, seed=0)
@example(lengths=[300, 1, 1, 300], frames=10, seed=0)
@settings(deadline=None)
def test_an_epoch_has_each_utterance_once_and_no_batch_too_large(lengths, frames, seed):
    for batch in (epoch := LengthBatches(lengths, batch_frames=frames, seed=seed).epoch(0)):
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= frames
    assert sorted(itertools.chain.from_iterable(epoch)) == list(range(len(lengths)))


def test_seed_and_number_decide_an_epoch():
    lengths = [100 + 7 * i % 90 for i in range(80)]
    first = LengthBatches(lengths, batch_frames=900, seed=1)
    again = LengthBatches(lengths, batch_frames=900, seed=1)
    assert first.epoch(3) == again.epoch(3)
    assert first.epoch(3) != first.epoch(4)
    assert first.epoch(3) != LengthBatches(lengths, batch_frames=900, seed=2).epoch(3)


def test_two_epochs_differ_in_what_is_together_and_not_only_in_order():
    batches = LengthBatches([100 + i for i in range(80)], batch_frames=900)
    together = [{frozenset(batch) for batch in batches.epoch(number)} for number in (0, 1)]
    assert together[0] != together[1]


def test_epochs_follow_each_other_without_end():
    batches = LengthBatches([10, 20, 30], batch_frames=30)
    expected = [*batches.epoch(0), *batches.epoch(1), *batches.epoch(2)]
    assert list(itertools.islice(batches, len(expected))) == expected


def test_similar_lengths_waste_little():
    lengths = [150 + (i * 37) % 200 for i in range(300)]
    sorted_share = padding_share(LengthBatches(lengths, batch_frames=2000).epoch(0), lengths)
    mixed_share = padding_share(cut(range(300), lengths, 2000), lengths)
    assert sorted_share < 0.07 < mixed_share


def lengths_of_speech(num: int) -> list[int]:
    """Return lengths as read speech has them: log-normal, from half a second to twelve."""
    draws = random.Random(num)
    drawn = (round(draws.lognormvariate(math.log(330), 0.55)) for _ in itertools.count())
    return list(itertools.islice((each for each in drawn if 40 <= each <= 1000), num))


@pytest.mark.parametrize(
    ("num", "frames"), [(150, 2000), (300, 4000), (1000, 8000), (1000, 16000), (3000, 32000)]
)
def test_of_speech_less_than_a_tenth_is_padding_if_a_batch_is_a_twentieth_of_it(num, frames):
    lengths = lengths_of_speech(num)
    assert frames < sum(lengths) / 20
    batches = LengthBatches(lengths, batch_frames=frames)
    shares = [padding_share(batches.epoch(number), lengths) for number in range(3)]
    assert max(shares) < 0.1
    assert padding_share(cut(range(num), lengths, frames), lengths) > 0.25


def test_with_the_usual_batches_a_twentieth_of_speech_is_padding():
    """The figures of docs/training.md."""
    lengths = lengths_of_speech(1000)
    share = padding_share(LengthBatches(lengths, batch_frames=2000).epoch(0), lengths)
    in_any_order = padding_share(cut(range(1000), lengths, 2000), lengths)
    assert share == pytest.approx(0.047, abs=0.005)
    assert in_any_order == pytest.approx(0.28, abs=0.02)


def test_the_padding_share_is_counted_by_hand():
    # two batches of 2 x 32 and 1 x 16 frames, of which 2, 12 and 5 are padding
    assert padding_share([[0, 1], [2]], [30, 20, 11]) == pytest.approx(19 / 80)


@pytest.mark.parametrize(("length", "rounded"), [(1, 16), (16, 16), (17, 32)])
def test_lengths_are_rounded_up_to_the_grid(length: int, rounded: int):
    assert round_up(length, 16) == rounded


def test_batches_in_order_are_cut_where_they_are_full():
    assert in_order_of_length([50, 10, 40, 20], batch_frames=64) == [[1, 3], [2], [0]]


def test_a_longer_utterance_is_a_batch_of_its_own():
    assert in_order_of_length([90, 13, 13], batch_frames=32) == [[1, 2], [0]]


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="`batch_frames` must be 1 or more, not 0"):
        cut([0], [1], 0)


def test_no_utterances_are_refused():
    with pytest.raises(ValueError, match="`lengths` must hold at least one"):
        LengthBatches([], batch_frames=10)


def test_batches_come_in_another_order_than_their_lengths():
    lengths = list(range(20, 320, 4))
    batches = LengthBatches(lengths, batch_frames=640).epoch(0)
    shortest = [min(lengths[index] for index in batch) for batch in batches]
    assert shortest != sorted(shortest)
    assert shortest != sorted(shortest, reverse=True)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    epoch=st.integers(0, 3),
    done=st.integers(0, 40),
)
@example(lengths=[10], epoch=0, done=0)
@example(lengths=[10], epoch=2, done=7)
@settings(deadline=None)
def test_an_order_goes_on_from_any_position(lengths, epoch, done):
    batches = LengthBatches(lengths, batch_frames=64)
    start = Position(epoch, 0)
    whole = list(itertools.islice(batches.starting_at(start), done + 5))
    position = batches.moved(start, done)
    assert position.batch < len(batches.epoch(position.epoch))
    assert list(itertools.islice(batches.starting_at(position), 5)) == whole[done:]


@given(seed=st.integers(0, 50), before=st.integers(0, 700), count=st.integers(0, 1400))
@example(seed=0, before=623, count=2)
@settings(deadline=None)
def test_an_array_of_uniform_numbers_is_what_calls_one_by_one_give(seed, before, count):
    one_by_one, at_once = random.Random(f"{seed}/0"), random.Random(f"{seed}/0")
    for generator in (one_by_one, at_once):
        for _ in range(before):
            generator.random()
    expected = [one_by_one.uniform(0.95, 1.05) for _ in range(count)]
    assert uniforms(at_once, count, 0.95, 1.05).tolist() == expected
    assert at_once.getstate() == one_by_one.getstate()


def batches_one_by_one(lengths: list[int], frames: int, seed: int, number: int) -> list[list[int]]:
    """Return an epoch in the words of its definition, with no array."""
    generator = random.Random(f"{seed}/{number}")
    blurred = [each * generator.uniform(1 - JITTER, 1 + JITTER) for each in lengths]
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=blurred.__getitem__):
        together = [*batches[-1], index] if batches else [index]
        if not batches or len(together) * round_up(max(lengths[i] for i in together), 16) > frames:
            batches.append([index])
        else:
            batches[-1].append(index)
    generator.shuffle(batches)
    return batches


@given(lengths=lengths_of, frames=st.integers(1, 2500), number=st.integers(0, 3))
@settings(deadline=None)
def test_an_epoch_is_the_one_that_its_definition_gives(lengths, frames, number):
    """Saved trainings go on by a position alone, so the order of an epoch must never change."""
    batches = LengthBatches(lengths, batch_frames=frames, seed=5)
    assert batches.epoch(number) == batches_one_by_one(lengths, frames, 5, number)
