"""The 63 symbols, and docs/vocabulary.md, which lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.vocabulary import ENGLISH, PAD, PAD_ID, PAUSES, STRESSES, SYMBOLS

DOCS = Path(__file__).parents[3] / "docs" / "vocabulary.md"
ROW = re.compile(r"^\| (\d+) \| `(.+?)` \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
SOUNDS = [each for each in SYMBOLS if each not in (PAD, *PAUSES, *STRESSES)]


def test_there_are_63_distinct_symbols_and_padding_is_the_first() -> None:
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 63
    assert SYMBOLS[PAD_ID] == PAD == "_"
    assert PAD_ID == 0


def test_no_symbol_holds_a_separator_of_the_durations_file() -> None:
    assert not [each for each in SYMBOLS if re.search(r"[\s|]", each)]


def test_the_docs_list_every_symbol_at_its_index() -> None:
    rows = ROW.findall(DOCS.read_text(encoding="utf-8"))
    assert [(int(index), symbol) for index, symbol, *_ in rows] == list(enumerate(SYMBOLS))


def test_the_example_of_each_symbol_in_the_docs_has_it(frontend: EspeakFrontend) -> None:
    frontends = {"en-us": frontend, "en-gb": EspeakFrontend(espeak=Espeak("en-gb"))}
    rows = ROW.findall(DOCS.read_text(encoding="utf-8"))[1:]
    wrong = [
        (symbol, example)
        for _, symbol, example, voice, _ in rows
        if symbol not in frontends[voice].phonemize(example)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("phoneme", "symbols"),
    [
        ("", []),
        ("p", ["p"]),
        ("tʃ", ["tʃ"]),
        ("ˈaɪɚ", ["ˈ", "aɪ", "ɚ"]),
        ("ˌɑːɹ", ["ˌ", "ɑː", "ɹ"]),
        ("əl", ["ə", "l"]),
        ("n̩", ["n̩"]),
        ("ɑ̃", ["ɑ̃"]),
        ("ˈəʊ", ["ˈ", "ə", "ʊ"]),
    ],
)
def test_a_phoneme_is_split_into_the_longest_symbols(phoneme: str, symbols: list[str]) -> None:
    assert ENGLISH.split(phoneme) == symbols


@pytest.mark.parametrize("phoneme", ["ʘ", "pʘ", "ˈ", "aˈ", "_", ",", "p?", "ɔ̃", "(en)"])
def test_what_has_no_symbol_is_not_split(phoneme: str) -> None:
    assert ENGLISH.split(phoneme) is None


@given(parts=st.lists(st.sampled_from(SOUNDS), min_size=1, max_size=4))
def test_a_split_loses_nothing(parts: list[str]) -> None:
    symbols = ENGLISH.split("ˈ" + "".join(parts))
    assert symbols is not None
    assert "".join(symbols) == "ˈ" + "".join(parts)
    assert len(symbols) <= len(parts) + 1
