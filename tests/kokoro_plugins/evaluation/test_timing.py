import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_plugins.evaluation.measuring import parts_of_boundaries
from kokoro_plugins.evaluation.timing import boundary_errors, duration_errors


def test_durations_are_wrong_by_frames_and_boundaries_by_what_adds_up():
    assert duration_errors([2, 5, 1], [3, 3, 2], 10.0) == [10.0, 20.0, 10.0]
    assert boundary_errors([2, 5, 1], [3, 3, 2], 10.0) == [10.0, 10.0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9))
def test_a_boundary_is_where_the_phonemes_before_it_end(pairs):
    mine, true = [a for a, _ in pairs], [b for _, b in pairs]
    expected = [abs(sum(mine[:n]) - sum(true[:n])) * 12.5 for n in range(1, len(pairs))]
    assert boundary_errors(mine, true, 12.5) == expected


def test_a_boundary_at_25_ms_counts_as_near_and_one_beyond_does_not():
    parts = dict(parts_of_boundaries([12, 9, 9], [10, 8, 12], 12.5))
    assert parts == {"boundary_error": (25.0 + 37.5, 2), "boundaries_near": (1, 2)}


def test_one_phoneme_has_no_boundary():
    assert dict(parts_of_boundaries([7], [5], 10.0)) == {}


def test_durations_of_other_phonemes_are_refused():
    with pytest.raises(ValueError, match="of the same phonemes, not of 1 and 2"):
        duration_errors([1], [1, 2], 10.0)
