"""Which symbols belong to which word."""

from __future__ import annotations

import pytest

from kokoro_core.speaking.words import SpokenWord, is_pause, words_of


def test_words_are_runs_of_symbols_of_one_place_and_pauses_belong_to_none() -> None:
    words = words_of("Go, now.", ["ɡ", "oʊ", ",", "n", "aʊ", "."], [0, 0, 4, 4, 4, 8])
    assert words == [
        SpokenWord("Go,", 0, ("ɡ", "oʊ")),
        SpokenWord("", 2, (",",)),
        SpokenWord("now.", 3, ("n", "aʊ")),
        SpokenWord("", 5, (".",)),
    ]


def test_a_pause_within_a_word_is_a_part_of_it() -> None:
    words = words_of("$5.10 now", ["f", ",", "t", ",", "n"], [0, 5, 0, 6, 6])
    assert words == [
        SpokenWord("$5.10", 0, ("f", ",", "t")),
        SpokenWord("", 3, (",",)),
        SpokenWord("now", 4, ("n",)),
    ]


def test_the_text_is_taken_in_composed_form_and_brackets_are_one_word() -> None:
    words = words_of("cafe\u0301 [[h ə]]'s x", ["k", "h", "x"], [0, 5, 15])
    assert [each.text for each in words] == ["caf\u00e9", "[[h ə]]'s", "x"]


@pytest.mark.parametrize(
    ("symbol", "pause"), [(",", True), ("…", True), ("ˈ", False), ("n̩", False)]
)
def test_a_mark_is_a_pause_and_a_stress_is_none(symbol: str, pause: bool) -> None:
    assert is_pause(symbol) is pause
