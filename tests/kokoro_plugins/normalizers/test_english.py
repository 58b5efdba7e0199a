"""What the rules of English say, and what they leave alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_plugins.normalizers.english import English
from kokoro_plugins.normalizers.none import Unchanged

ENGLISH = English()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # The misreadings of other normalisers that the rules are there for.
        ("1990s", "nineteen nineties"),
        ("555-1234", "five five five one two three four"),
        ("No. 7", "number seven"),
        ("St. Mary", "Saint Mary"),
        ("$260 million", "two hundred sixty million dollars"),
        ("World War II", "World War two"),
        # Both ends of a range, and what stands before and after a sign.
        ("$5–$10", "five to ten dollars"),
        ("5 €", "five euros"),
        ("-$5", "minus five dollars"),
        ("1990-91", "nineteen ninety to ninety one"),
        ("9 a.m.-5 p.m.", "nine A M to five P M."),
        (
            "192.168.0.1",
            "one hundred ninety two point one hundred sixty eight point zero point one",
        ),
        ("1,2,3", "one,two,three"),
        ("5 kg", "five kilograms"),
        ("1 ft", "one foot"),
        ("a 100 m run", "a one hundred meter run"),
        ("John V", "John the fifth"),
        ("w/ milk, w/o sugar", "with milk, without sugar"),
        ("a.s.a.p.", "A S A P."),
        (
            "Call +49 30 1234 5678",
            "Call four nine, three zero, one two three four, five six seven eight",
        ),
        ("a >5 and <6", "a more than five and less than six"),
        ("6 / 2", "six divided by two"),
        ("Queen Anne I.", "Queen Anne the first."),
        # A full stop that also ends a sentence stays.
        ("It is 5 km.", "It is five kilometers."),
        ("He left at 5 p.m.", "He left at five P M."),
        ('He said "at 5 p.m."', 'He said "at five P M."'),
        ("He moved to the U.S.", "He moved to the U S."),
        ("Pens, etc.", "Pens, et cetera."),
        ("She lives on Main St.", "She lives on Main Street."),
    ],
)
def test_a_text_is_written_as_it_is_read(text: str, words: str) -> None:
    assert ENGLISH.normalize(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "Nothing here is to be done: (so) it stays -- as it is!",
        "I don't think so, he said; “never”.",
        "no. Yes.",
        "The mixed civil DVD and the CD",
        "AT&T and/or R&B",
        "",
    ],
)
def test_what_is_in_words_stays_as_it_is(text: str) -> None:
    assert ENGLISH.normalize(text) == text


@pytest.mark.parametrize("text", ["13/32/2020", "2021-13-40", "May 99", "40 May", "25:61", "9/3"])
def test_what_is_no_date_no_time_and_no_fraction_is_read_as_numbers(text: str) -> None:
    words = ENGLISH.normalize(text)
    assert not any(each.isdigit() for each in words)
    assert not {"th", "o'clock", "quarter"} & set(words.split())


@given(
    text=st.text(
        st.characters(codec="latin-1") | st.sampled_from("IVX$€.,:/-'s5017 °½"), max_size=40
    )
)
@example(text="1/0")
@example(text="$.50")
@example(text="0:0:0")
def test_any_text_has_words_and_no_digit_of_english_is_left(text: str) -> None:
    words = ENGLISH.normalize(text)
    assert not set("0123456789") & set(words)


@given(st.text("abc .,!?'", max_size=60))
def test_a_text_of_words_is_never_changed(text: str) -> None:
    assert ENGLISH.normalize(text) == text


def test_none_leaves_everything_as_it_is() -> None:
    assert Unchanged().normalize("$5 & St. 7") == "$5 & St. 7"
