"""Where a place of the text that is read comes from in the text that was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_plugins.speech.text.places import places_in


def word_of(text: str, place: int) -> str:
    return text[place:].split(maxsplit=1)[0]


@pytest.mark.parametrize(
    ("written", "spoken", "word", "origin"),
    [
        ("It cost $5 today.", "It cost five dollars today.", "dollars", "$5"),
        ("It cost $5 today.", "It cost five dollars today.", "today.", "today."),
        ("It cost $5 today.", "It cost five dollars today.", "It", "It"),
        ("in 1984 and 1985", "in nineteen eighty four and nineteen eighty five", "five", "1985"),
        ("5 6 end", "five six end", "six", "6"),
    ],
)
def test_a_word_comes_from_the_one_that_it_stands_for(
    written: str, spoken: str, word: str, origin: str
) -> None:
    place = places_in(written, spoken)(spoken.rindex(word))
    assert word_of(written, place) == origin


def test_a_place_within_a_word_that_both_have_is_kept() -> None:
    place = places_in("$5 well-known", "five dollars well-known")
    assert place("five dollars well-known".index("known")) == "$5 well-known".index("known")


def test_words_that_were_put_in_belong_to_the_one_after_them_or_to_the_end() -> None:
    assert places_in("a b", "a new b")(2) == 2
    assert places_in("a", "a new")(2) == 1


@given(st.text("ab .", max_size=30), st.text("ab .", max_size=30))
def test_places_lie_in_the_text_and_never_go_back(written: str, spoken: str) -> None:
    places = [places_in(written, spoken)(place) for place in range(len(spoken))]
    assert all(0 <= place <= len(written) for place in places)
    assert places == sorted(places)
