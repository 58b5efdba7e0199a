"""The frontend `lexicon`: words that it has, and those that it has not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kokoro_core import load_spec
from kokoro_core.errors import FrontendError
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.params import LexiconFrontendParams

WORDS = """
hello  h ə l ˈ oʊ
world  w ˈ ɜː l d
five   f ˈ aɪ v
dollars d ˈ ɑː l ɚ z
"""
SIZES = Sizes(vocab_size=63, pad_id=0, mel_dim=80, hidden_dim=8)


def built(**settings: Any) -> Any:
    return LexiconFrontendParams(lexicon=WORDS, **settings).build(SIZES)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Hello, world!", "h ə l ˈ oʊ , w ˈ ɜː l d !"),
        ("hello world", "h ə l ˈ oʊ w ˈ ɜː l d ."),
        ("Hello (world)?", "h ə l ˈ oʊ , w ˈ ɜː l d ?"),
        ('"Hello" - world…', "h ə l ˈ oʊ , w ˈ ɜː l d ."),
        ("Hello?! World", "h ə l ˈ oʊ ? w ˈ ɜː l d ."),
        ("...hello", "h ə l ˈ oʊ ."),
        ("World's [[k ˈ æ t]]", "w ˈ ɜː l d z k ˈ æ t ."),
    ],
)
def test_words_and_marks_become_symbols(text: str, symbols: str) -> None:
    assert built().phonemize(text) == symbols.split()


def test_unknown_words_are_named_and_nothing_is_spoken() -> None:
    with pytest.raises(FrontendError, match=r"`text` has 'tiny', 'red', which are not in the lex"):
        built().phonemize("hello tiny red world, tiny")
    with pytest.raises(FrontendError, match=r"`text` has 'kokoro', which is not in the lexicon; a"):
        built().encode("hello kokoro")


@pytest.mark.parametrize("text", ["", "?!", " \n"])
def test_a_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(FrontendError, match=r"`text` has nothing to speak"):
        built().phonemize(text)


def test_numbers_are_words_with_a_normalizer_and_places_are_those_of_the_text() -> None:
    params = load_spec(
        "small",
        overrides={
            "frontend": {"type": "lexicon", "lexicon": WORDS, "normalizer": {"type": "english"}}
        },
    ).frontend
    assert params is not None
    frontend = params.build(SIZES)
    symbols, places = frontend.phonemize("Hello $5!"), frontend.positions("Hello $5!")
    assert " ".join(symbols) == "h ə l ˈ oʊ f ˈ aɪ v d ˈ ɑː l ɚ z !"
    assert places == [0] * 5 + [6] * 10 + [9]
    assert frontend.normalize("$5") == "five dollars"
    assert built().normalize("$5") == "$5"
    assert frontend.sentences("Hello world. Hello.") == ["Hello world. ", "Hello."]


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"lexicon": "a q"}, "lexicon", "has 'q' in 'a'"),
        ({"symbols": ("_", "a")}, "type", "the frontend `lexicon` has 2 symbols, but `vocab_size`"),
    ],
)
def test_what_does_not_fit_is_a_problem_at_its_setting(
    settings: Any, field: str, message: str
) -> None:
    params = LexiconFrontendParams(**{"lexicon": "a s", **settings})
    assert message in dict(params.cross_check(SIZES))[field]
    with pytest.raises(ValueError, match=message[:20]):
        params.build(SIZES)


def test_it_needs_no_espeak() -> None:
    code = f"""
import sys
sys.modules["espeakng_loader"] = None
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.params import LexiconFrontendParams
frontend = LexiconFrontendParams(lexicon={WORDS!r}).build(Sizes(63, 0, 80, 8))
print(" ".join(frontend.phonemize("hello")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "h ə l ˈ oʊ ."
