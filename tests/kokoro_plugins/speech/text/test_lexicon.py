"""Files of words and symbols."""

from __future__ import annotations

from kokoro_plugins.speech.text.lexicon import pronunciation, read_lexicon, unknown_symbols


def test_a_line_is_a_word_and_its_symbols() -> None:
    words, wrong = read_lexicon("kokoro  k ə k ˈ ɔː ɹ oʊ\n\n# a remark\nUS  j uː  # of letters\n")
    assert words == {"kokoro": ("k", "ə", "k", "ˈ", "ɔː", "ɹ", "oʊ"), "US": ("j", "uː")}
    assert wrong == []


def test_lines_that_say_nothing_or_another_thing_are_named() -> None:
    words, wrong = read_lexicon("one\ntwo t uː\ntwo t uː\ntwo t ə\n")
    assert words == {"two": ("t", "uː")}
    assert wrong == [
        "line 1 has the word 'one' without symbols",
        "line 4 has the word 'two' for a second time, spoken otherwise",
    ]


def test_small_letters_stand_for_capitals_and_not_the_other_way_round() -> None:
    lexicon = {"us": ("ʌ", "s"), "Polish": ("p",)}
    assert pronunciation(lexicon, "US") == ("ʌ", "s")
    assert pronunciation(lexicon, "Us") == ("ʌ", "s")
    assert pronunciation(lexicon, "polish") is None


def test_symbols_that_a_frontend_has_not_are_found_with_their_words() -> None:
    assert list(unknown_symbols({"a": ("x", "y"), "b": ("y", "z")}, {"y"})) == [
        ("a", "x"),
        ("b", "z"),
    ]
