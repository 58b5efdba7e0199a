"""How many utterances are held out, by who says it."""

from __future__ import annotations

import pytest

from kokoro_core.params.held_out import held_out_count


@pytest.mark.parametrize(
    ("asked", "set_aside", "expected"),
    [(3, 7, 3), (0, 7, 0), (None, 7, 7), (None, 0, 0), (None, None, 10)],
)
def test_the_caller_wins_over_the_corpus_and_the_corpus_over_ten(
    asked: int | None, set_aside: int | None, expected: int
) -> None:
    assert held_out_count(asked, set_aside) == expected
