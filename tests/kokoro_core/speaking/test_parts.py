"""Sentences in parts: how they are cut, and what is joined to what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_core.speaking.parts import masked, parts_of, with_words


def test_what_is_short_enough_is_one_part_and_blanks_do_not_count() -> None:
    assert list(parts_of("abcde   ", 5)) == ["abcde   "]
    assert list(parts_of("ab cde  ", 5)) == ["ab ", "cde  "]


def test_it_is_cut_at_the_mark_that_is_nearest_to_the_middle() -> None:
    assert list(parts_of("a, bb bb, cccc", 12)) == ["a, bb bb, ", "cccc"]


def test_marks_come_before_blanks_and_a_part_is_cut_again() -> None:
    assert list(parts_of("a; bb bb bb bb", 8)) == ["a; ", "bb bb ", "bb bb"]


def test_phonemes_in_brackets_and_long_words_stay_whole() -> None:
    assert list(parts_of("x [[a, b, c]] y", 6)) == ["x ", "[[a, b, c]] ", "y"]
    assert list(parts_of("a" * 9, 4)) == ["a" * 9]
    assert masked("x [[a.\nb]] y") == "x xxxxxxxx y"


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        (["One. ", "...", " Two."], ["One. ...", " Two."]),
        (["... ", "One."], ["... One."]),
        (["“One” ", ", two."], ["“One” , two."]),
        (["One. ", "Two."], ["One. ", "Two."]),
        ([], []),
    ],
)
def test_a_sentence_without_a_word_or_after_a_mark_is_joined(
    given: list[str], joined: list[str]
) -> None:
    assert with_words(given) == joined


@given(st.text(st.sampled_from("ab ,;:—[]\n.")), st.integers(1, 9))
def test_parts_are_the_text_and_short_where_blanks_allow_it(text: str, longest: int) -> None:
    parts = list(parts_of(text, longest))
    assert "".join(parts) == text
    for each in parts:
        assert len(each.strip()) <= longest or not masked(each.strip()).split()[1:]
