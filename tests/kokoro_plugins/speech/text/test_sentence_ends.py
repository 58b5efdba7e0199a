"""Where sentences end, and what is spoken in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_plugins.speech.text.sentence_ends import LONGEST, split_sentences


def stripped(text: str, language: str = "en") -> list[str]:
    return [each.strip() for each in split_sentences(text, language)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello there. He left!", ["Hello there.", "He left!"]),
        ("Dr. Smith paid $3.50 at 5 p.m. today.", ["Dr. Smith paid $3.50 at 5 p.m. today."]),
        ("J. R. R. Tolkien wrote it. Read it.", ["J. R. R. Tolkien wrote it.", "Read it."]),
        ("It is No. 7. So be it.", ["It is No. 7.", "So be it."]),
        ("What?! OK.", ["What?!", "OK."]),
        ("Wait... what?", ["Wait... what?"]),
        ('"Really?" she asked. Yes.', ['"Really?" she asked.', "Yes."]),
        ("One\nline breaks. Two", ["One\nline breaks.", "Two"]),
        ("A title\n\nA text. More.", ["A title", "A text.", "More."]),
        ("Say [[h ə . l ? oʊ]] now. Go.", ["Say [[h ə . l ? oʊ]] now.", "Go."]),
        ("no end", ["no end"]),
        ("At No. 12, Baker St., at noon. Go.", ["At No. 12, Baker St., at noon.", "Go."]),
        ('"Am I?" "By ten." They laughed.', ['"Am I?"', '"By ten."', "They laughed."]),
        ("He left. ...", ["He left. ..."]),
        ("... He left.", ["... He left."]),
    ],
)
def test_a_text_is_split_where_a_sentence_ends(text: str, sentences: list[str]) -> None:
    assert stripped(text) == sentences


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("de", "Das kostet z. B. 5 Euro. Gut.", ["Das kostet z. B. 5 Euro.", "Gut."]),
        ("cmn", "你好。再见。", ["你好。", "再见。"]),
        ("sw", "Habari. Karibu.", ["Habari.", "Karibu."]),
    ],
)
def test_other_languages_have_their_own_ends(
    language: str, text: str, sentences: list[str]
) -> None:
    assert stripped(text, language) == sentences


def test_a_long_sentence_is_spoken_in_parts_that_end_at_marks() -> None:
    clause = "the little cat sat by the fire and slept"
    text = ", ".join([clause] * 7) + "."
    parts = stripped(text)
    assert all(len(each) <= LONGEST for each in parts)
    assert all(each[-1] in ",." for each in parts)
    assert " ".join(parts) == text


def test_without_marks_it_is_cut_between_words() -> None:
    parts = stripped("word " * 100)
    assert all(len(each) <= LONGEST for each in parts)
    assert {word for each in parts for word in each.split()} == {"word"}


def test_one_endless_word_stays_whole() -> None:
    assert stripped("a" * 400) == ["a" * 400]


@given(
    st.text(
        st.sampled_from("aB 1.?!…,;:\"'()[]\n\t-—é你。") | st.characters(codec="utf-8"), max_size=80
    )
)
def test_sentences_are_the_text_and_each_has_a_word(text: str) -> None:
    sentences = split_sentences(text, "en")
    assert "".join(sentences) == text
    if any(each.isalnum() for each in text):
        assert all(any(each.isalnum() for each in one) for one in sentences)
