"""Numbers in words, each against what an English speaker says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_plugins.normalizers.numbers import (
    cardinal,
    decimal,
    digits,
    ordinal,
    plural,
    roman,
    to_roman,
    year,
)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (305, "three hundred five"),
        (1_000, "one thousand"),
        (12_345, "twelve thousand three hundred forty five"),
        (1_000_001, "one million one"),
        (7_000_000_000, "seven billion"),
        (-8, "minus eight"),
        (10**18, "one " + " ".join(["zero"] * 18)),
    ],
)
def test_a_number_is_said_in_words(number: int, words: str) -> None:
    assert cardinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "first"),
        (2, "second"),
        (3, "third"),
        (5, "fifth"),
        (8, "eighth"),
        (9, "ninth"),
        (12, "twelfth"),
        (20, "twentieth"),
        (21, "twenty first"),
        (100, "one hundredth"),
    ],
)
def test_an_ordinal_changes_the_last_word(number: int, words: str) -> None:
    assert ordinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (44, "forty four"),
        (476, "four seventy six"),
        (1066, "ten sixty six"),
        (1805, "eighteen oh five"),
        (1900, "nineteen hundred"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2024, "twenty twenty four"),
    ],
)
def test_a_year_is_said_by_centuries(number: int, words: str) -> None:
    assert year(number) == words


def test_decimals_and_digits_are_said_one_by_one() -> None:
    assert decimal("1,234.50") == "one thousand two hundred thirty four point five zero"
    assert decimal("007") == "zero zero seven"
    assert digits("555-01") == "five five five zero one"


def test_words_have_plurals() -> None:
    assert [plural(each) for each in ("ninety", "six", "two thousand")] == [
        "nineties",
        "sixes",
        "two thousands",
    ]


@given(number=st.integers(1, 3999))
def test_a_roman_numeral_has_the_number_that_it_was_made_of(number: int) -> None:
    assert roman(to_roman(number)) == number


@pytest.mark.parametrize(("text", "number"), [("XIV", 14), ("MCMXCIV", 1994), ("XLII", 42)])
def test_a_roman_numeral_is_read(text: str, number: int) -> None:
    assert roman(text) == number


@pytest.mark.parametrize("text", ["IIII", "VX", "IC", "MIXED", "", "MMMM"])
def test_letters_that_are_no_roman_numeral_have_no_number(text: str) -> None:
    assert roman(text) is None
