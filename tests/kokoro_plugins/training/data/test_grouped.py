"""An order that reads a few files at a time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_plugins.training.data.batching import Position
from kokoro_plugins.training.data.grouped import FileBatches


@given(
    pairs=st.lists(st.tuples(st.integers(1, 300), st.integers(0, 6)), min_size=1, max_size=60),
    at_once=st.integers(1, 8),
    frames=st.integers(1, 2000),
    number=st.integers(0, 3),
)
@example(pairs=[(5, 3)], at_once=1, frames=1, number=0)
def test_an_epoch_has_each_utterance_once_and_reads_so_many_files_at_a_time(
    pairs, at_once, frames, number
):
    lengths, files = (list(each) for each in zip(*pairs, strict=True))
    order = FileBatches(lengths, files, at_once=at_once, batch_frames=frames, seed=1)
    epoch = order.epoch(number)
    assert sorted(itertools.chain.from_iterable(epoch)) == list(range(len(lengths)))
    for batch in epoch:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= frames
    windows = [{files[index] for index in batch} for batch in epoch]
    met: list[set[int]] = []
    for window in windows:  # join batches to windows as long as those are not too many files
        if met and len(met[-1] | window) <= at_once:
            met[-1] |= window
        else:
            met.append(set(window))
    opened = [file for window in met for file in window]
    assert sorted(opened) == sorted(set(files)), "a file is opened again after another was"


def test_epochs_differ_in_their_files_and_batches_and_depend_on_seed_and_number_alone():
    lengths = [50 + 7 * i % 90 for i in range(200)]
    files = [i % 10 for i in range(200)]
    make = lambda seed: FileBatches(lengths, files, at_once=2, batch_frames=900, seed=seed)  # noqa: E731
    first = make(0).epoch(4)
    assert first == make(0).epoch(4)
    assert first != make(0).epoch(5)
    assert first != make(1).epoch(4)


@pytest.mark.parametrize("done", [0, 1, 7, 40])
def test_it_goes_on_from_any_position(done: int):
    order = FileBatches([30] * 40, [i // 8 for i in range(40)], at_once=2, batch_frames=64)
    whole = list(itertools.islice(order.starting_at(Position()), done + 5))
    position = order.moved(Position(), done)
    assert list(itertools.islice(order.starting_at(position), 5)) == whole[done:]


def test_no_files_at_once_are_refused():
    with pytest.raises(ValueError, match="`files_at_once` must be 1 or more, not 0"):
        FileBatches([1], [0], at_once=0, batch_frames=10)
