"""Words as a frontend reads them, and what it puts around and between them."""

from __future__ import annotations

import pytest

from kokoro_core.contracts import Frontend
from kokoro_core.errors import ExportError, FrontendError
from kokoro_plugins.export.lexicon import Lexicon, make_lexicon, words_of


class Letters(Frontend):
    """Reads a word as its letters; `the` ends otherwise before a vowel, and `x` is unknown."""

    symbols = ("<pad>", "^", "$", "_", ".", *"abcdefghijklmnopqrstuvwyz", "ði")

    def __init__(self, *, tells_places: bool = True) -> None:
        self._tells = tells_places

    def phonemize(self, text: str) -> list[str]:
        return [symbol for symbol, _ in self._read(text)]

    def positions(self, text: str) -> list[int] | None:
        return [place for _, place in self._read(text)] if self._tells else None

    def sentences(self, text: str) -> list[str]:
        return [f"{each}." for each in text.split(".") if each.strip()]

    def _read(self, text: str) -> list[tuple[str, int]]:
        if "x" in text:
            raise FrontendError("`x` has no symbol.")
        found, place, words = [("^", 0)], 0, text.rstrip(".").split(" ")
        for number, word in enumerate(words):
            follows = words[number + 1] if number + 1 < len(words) else ""
            special = word == "the" and follows[:1] in set("aeiou") and follows
            letters = ["t", "ði"] if special else list(word)
            found += [("_", place)] if number and word else []
            found += [(each, place) for each in letters if each != "'"]
            place += len(word) + 1
        end = [(".", place - 1)] if text.endswith(".") else []
        return [*found, *end, ("$", max(0, place - 1))]


def test_words_are_found_once_as_they_are_first_written():
    assert words_of("The cat’s hat, the 3 HATS: I don't; well-known") == [
        *("The", "cat's", "hat", "HATS", "I", "don't", "well", "known"),
    ]


def test_what_stands_around_and_between_words_is_learnt_from_them():
    lexicon = make_lexicon(Letters(), "a bee can dig")
    assert (lexicon.before, lexicon.after, lexicon.between) == (("^",), ("$",), ("_",))
    assert lexicon.words["bee"] == ("b", "e", "e")


def test_a_word_is_read_as_it_most_often_is_in_sentences():
    text = "the ant ran. the owl is old. the cat sat."
    assert make_lexicon(Letters(), text).words["the"] == ("t", "ði")
    assert make_lexicon(Letters(tells_places=False), text).words["the"] == ("t", "h", "e")


def test_a_word_that_the_frontend_cannot_read_is_told():
    lexicon = make_lexicon(Letters(), "a fox ran away")
    assert lexicon.left_out == ("fox",)
    assert lexicon.words.keys() == {"a", "ran", "away"}


def test_words_that_nothing_tells_apart_from_their_surroundings_are_refused():
    with pytest.raises(ExportError, match="`Letters` reads no two of the 1 words in a row"):
        make_lexicon(Letters(), "one")


LEXICON = Lexicon(("^",), ("$",), ("_",), {"a": ("a",), "bee": ("b", "i")})


def test_a_sentence_is_its_words_and_the_mark_at_its_end():
    assert LEXICON.read("A bee.", ["."]) == ("a", "_", "b", "i", ".")
    assert LEXICON.read("A bee.", []) == ("a", "_", "b", "i")
    assert LEXICON.read("bee", ["."]) == ("b", "i")


@pytest.mark.parametrize(
    ("text", "named"), [("a, bee", "a,"), ("the bee", "the"), ("?", "no word")]
)
def test_what_is_not_in_the_lexicon_is_named(text, named):
    with pytest.raises(ValueError, match=f"has what the lexicon has not: {named}; its words must"):
        LEXICON.read(text, ["."])
