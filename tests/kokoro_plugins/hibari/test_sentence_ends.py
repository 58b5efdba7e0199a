"""Where the frontend `hibari` ends a sentence: not at an abbreviation that goes on."""

from __future__ import annotations

import pytest

from kokoro_plugins.hibari.sentence_ends import LONGEST, sentences_of


@pytest.fixture(autouse=True)
def _package() -> None:
    pytest.importorskip("hibari")


@pytest.mark.parametrize(
    "text",
    [
        "See No. 7 of the list.",
        "On Jan. 5 we met, on Sept. 30 we left.",
        "Cats vs. Dogs is a film.",
        "A town, i.e. Paris, e.g. London.",
        "Read fig. 3, vol. 2, p. 5, pp. 5-7 and ch. 4.",
        "Call tel. +1 555 or ext. 7, approx. 5 times, ca. 1850, for Rs. 500.",
        "Dr. Smith met J. Jones.",
    ],
)
def test_an_abbreviation_before_its_number_or_name_ends_nothing(text: str) -> None:
    assert sentences_of(text) == [text]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("I said no. Then I left.", "I said no. "),
        ("It was in Jan. Then it snowed.", "It was in Jan. "),
        ("It ended. 5 people left.", "It ended. "),
        ("She ate a fig. He had none.", "She ate a fig. "),
        ("Cats, dogs, etc. Then birds.", "Cats, dogs, etc. "),
    ],
)
def test_a_full_stop_that_is_one_ends_a_sentence(text: str, first: str) -> None:
    assert sentences_of(text) == [first, text.removeprefix(first)]


def test_phonemes_in_brackets_end_nothing_and_are_not_cut() -> None:
    given = "[[" + "h ə . No. " * 20 + "]]"
    assert sentences_of(f"Say {given} now. Go.") == ["Say ", f"{given} ", "now. ", "Go."]
    assert len(given) > LONGEST
