"""Texts with a lexicon, with phonemes written in them, and in words, as a voice reads them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_core.errors import FrontendError
from kokoro_core.slots import NORMALIZER
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.text.prepared import Preparation, StandIns
from kokoro_plugins.speech.vocabulary import ENGLISH, PAUSES
from registry import installed_plugins

HELLO = "h ə l ˈ oʊ"


def made(espeak: Espeak, lexicon: Mapping[str, str] | None = None, **settings: Any) -> Any:
    words = {word: tuple(symbols.split()) for word, symbols in (lexicon or {}).items()}
    return EspeakFrontend(espeak=espeak, lexicon=words, **settings)


def normalizer() -> Any:
    return installed_plugins().components.get(NORMALIZER, "english")(type="english").build()


def spoken(frontend: EspeakFrontend, text: str) -> str:
    return " ".join(frontend.phonemize(text))


def test_phonemes_in_a_text_are_spoken_as_they_are(espeak: Espeak) -> None:
    frontend = made(espeak)
    assert spoken(frontend, f"[[{HELLO}]].") == f"{HELLO} ."
    assert spoken(frontend, "[[h ə l ˈoʊ]]") == f"{HELLO} ."
    assert spoken(frontend, f"Yes, [[{HELLO}]]?") == f"j ˈ ɛ s , {HELLO} ?"


def test_words_beside_phonemes_are_read_as_beside_a_word(espeak: Espeak) -> None:
    """English says "the" and "a" otherwise before a vowel."""
    frontend = made(espeak)
    assert spoken(frontend, "the [[ˈ æ p ə l]] here").startswith("ð ɪ ˈ æ p ə l")
    assert spoken(frontend, "the [[p ˈ æ t]] here").startswith("ð ə p ˈ æ t")
    plain = spoken(frontend, "I like the cat in the house.")
    cat = spoken(frontend, "I like the [[k ˈ æ t]] in the house.")
    assert cat == plain


def test_a_possessive_keeps_its_sound(espeak: Espeak) -> None:
    frontend = made(espeak, {"Kokoro": "k ə k ˈ oʊ"})
    assert spoken(frontend, "Kokoro's cat.") == spoken(frontend, "[[k ə k ˈ oʊ z]] cat.")
    assert spoken(frontend, "[[k ˈ æ t]]’s") == "k ˈ æ t s ."
    assert spoken(frontend, "[[f ˈ ɑː k s]]'s") == "f ˈ ɑː k s ᵻ z ."


def test_a_word_of_the_lexicon_is_a_name_to_the_normalizer_as_before(espeak: Espeak) -> None:
    frontend = made(espeak, {"Tolkien": "t ˈ ɑː"}, normalizer=normalizer())
    assert spoken(frontend, "St. Tolkien left.").startswith("s ˈ eɪ n t t ˈ ɑː l")
    assert spoken(made(espeak, {"Tolkien": "t ˈ ɑː"}), "Dr. Tolkien").endswith("t ˈ ɑː .")


@pytest.mark.parametrize("phonemes", ["q", "h@l'oU", "k ˈ æ q", "_"])
def test_phonemes_without_a_symbol_are_refused_and_named(espeak: Espeak, phonemes: str) -> None:
    named = re.escape(repr(phonemes.rsplit(maxsplit=1)[-1]))
    with pytest.raises(FrontendError, match=rf"`text` has {named}, which are no symbols in `\[\["):
        made(espeak).phonemize(f"a [[{phonemes}]] b")


def test_brackets_without_phonemes_are_refused(espeak: Espeak) -> None:
    with pytest.raises(FrontendError, match=r"`text` has no phoneme in `\[\[ \]\]`; between"):
        made(espeak).phonemize("a [[ ]] b")


def test_the_lexicon_wins_over_the_voice_wherever_the_word_stands(espeak: Espeak) -> None:
    frontend = made(espeak, {"tomato": "t ə m ˈ ɑː t oʊ", "Tolkien": "t ˈ ɑː l k iː n"})
    assert spoken(frontend, "Tomato!") == "t ə m ˈ ɑː t oʊ !"
    assert "t ˈ ɑː l k iː n" in spoken(frontend, "The books of Tolkien are long.")
    assert spoken(frontend, "tomatoes") == spoken(made(espeak), "tomatoes")
    assert spoken(frontend, "tomato-red") == spoken(made(espeak), "[[t ə m ˈ ɑː t oʊ]]-red")


def test_the_lexicon_has_words_as_they_are_written_and_words_that_the_normalizer_makes(
    espeak: Espeak,
) -> None:
    lexicon = {"five": "f ˈ aɪ f", "Dr": "d ˈ ɔː k"}
    frontend = made(espeak, lexicon, normalizer=normalizer())
    assert spoken(frontend, "Dr. Lee has $5.") == spoken(
        made(espeak), "[[d ˈ ɔː k]]. Lee has [[f ˈ aɪ f]] dollars."
    )


def test_a_normalizer_writes_what_the_voice_reads(espeak: Espeak) -> None:
    frontend = made(espeak, normalizer=normalizer())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert spoken(frontend, "World War II cost $260 million.") == spoken(
            made(espeak), "World War two cost two hundred sixty million dollars."
        )
    assert frontend.normalize("It's $5.") == "It's five dollars."
    assert made(espeak).normalize("It's $5.") == "It's $5."


def test_places_are_those_of_the_text_that_was_given(espeak: Espeak) -> None:
    frontend = made(espeak, {"kokoro": "k ə k ˈ oʊ"}, normalizer=normalizer())
    text = "Kokoro paid $42.50 to [[b ˈ ɑː b]] and left."
    symbols, places = frontend.phonemize(text), frontend.positions(text)
    starts = [place for place in dict.fromkeys(places) if place < len(text)]
    words = [text[place:].split(maxsplit=1)[0] for place in starts]
    assert words == ["Kokoro", "paid", "$42.50", "to", "[[b", "and", "left."]
    assert symbols[places.index(text.index("$42"))] == "f"
    assert "".join(s for s, p in zip(symbols, places, strict=True) if p == 0) == "kəkˈoʊ"


def test_stand_ins_are_no_words_of_the_text() -> None:
    text = "babib BABIBIB"
    stands = StandIns(text)
    words = [stands.of((symbol,)) for symbol in ("k", "æ", *["t"] * 10)]
    assert len(set(words)) == len(words)
    assert not [each for each in words if each in text.lower()]
    found = list(stands.found_in(" ".join(words) + " babib"))
    assert [each.symbols for each in found] == [("k",), ("æ",), *[("t",)] * 10]


@given(st.text("ab [].,", max_size=30))
def test_without_phonemes_lexicon_and_normalizer_nothing_is_changed(text: str) -> None:
    prepared = Preparation(vocabulary=ENGLISH)
    try:
        assert prepared(text.replace("[[", "[")).text == text.replace("[[", "[")
    except FrontendError:  # pragma: no cover - a bracket may remain
        assert "[[" in text


@given(
    st.lists(
        st.sampled_from(["hello", "$5", "the", "[[k ˈ æ t]]", "tomato", "Dr. No", "1984", "it's"]),
        min_size=1,
        max_size=8,
    )
)
def test_each_symbol_has_a_place_whatever_is_mixed(espeak: Espeak, words: list[str]) -> None:
    frontend = made(espeak, {"tomato": "t ə m"}, normalizer=normalizer())
    text = " ".join(words)
    symbols, places = frontend.phonemize(text), frontend.positions(text)
    assert len(symbols) == len(places)
    assert places == sorted(places)
    given = "".join(each for each in symbols if each not in PAUSES)
    assert given.count("təm") >= words.count("tomato")
    assert given.count("kˈæt") == words.count("[[k ˈ æ t]]")
