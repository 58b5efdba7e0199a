"""Settings of the frontends: languages, symbols, lexicon and normalizer, and what does not fit."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from pydantic import ValidationError

from kokoro_core import SpecError, load_spec
from kokoro_core.errors import FrontendError, FrontendWarning
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.params import EspeakFrontendParams
from kokoro_plugins.speech.vocabulary import PAUSES

SOUNDS = "a aɪ aʊ b d f h k n s t v z ð ŋ ɑː ə ɛ ɡ iː ɪ ʊ uː"
GERMAN = ("_", *PAUSES, "ˈ", "ˌ", *SOUNDS.split())
FEW = {"hidden_dim": 32, "encoder.num_layers": 1, "decoder.num_layers": 1}


def sizes(vocab_size: int = 63, pad_id: int = 0) -> Sizes:
    return Sizes(vocab_size=vocab_size, pad_id=pad_id, mel_dim=80, hidden_dim=8)


def built(**settings: Any) -> Any:
    params = EspeakFrontendParams(**settings)
    return params.build(sizes(len(params.all_symbols)))


@pytest.mark.parametrize(
    ("settings", "voice"),
    [
        ({}, "en-us"),
        ({"voice": "en-gb+f3"}, "en-gb+f3"),
        ({"language": "english"}, "en-us"),
        ({"language": "German"}, "de"),
        ({"language": "pt-br"}, "pt-br"),
    ],
)
def test_a_voice_or_a_language_says_who_speaks(settings: Any, voice: str) -> None:
    assert EspeakFrontendParams(**settings).spoken_voice == voice


def test_another_language_speaks_with_its_own_symbols() -> None:
    frontend = built(language="de", symbols=GERMAN)
    assert frontend.symbols == GERMAN
    assert "".join(frontend.phonemize("Guten Tag")) == "ɡˈuːtəntˈɑːk."
    with pytest.raises(FrontendError, match=r"speaks 'ʃ', 'ˈøː' in 'schön', for which"):
        frontend.phonemize("Das ist schön")


def test_another_language_without_symbols_says_how_to_get_them() -> None:
    [(field, message)] = EspeakFrontendParams(language="german").cross_check(sizes())
    assert field == "symbols"
    assert message == (
        "the voice `de` speaks sounds that the 63 symbols of English do not have; `symbols` must "
        "list those of your corpus, which `kokoro-core phonemize --language de --file TEXTS "
        "--list-symbols` prints"
    )


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"voice": "en-us", "language": "de"}, "language", "chooses a voice, so `voice` cannot"),
        ({"symbols": ("a", "b")}, "symbols", "`symbols` has no '_' for padding"),
        ({"symbols": ("_", "b", "b")}, "symbols", "`symbols` has twice one"),
        ({"lexicon": "a q\nb ʘ"}, "lexicon", "has 'q' in 'a', 'ʘ' in 'b', which are not among"),
        ({"lexicon": "a _"}, "lexicon", "has '_' in 'a', which is not among the 63 symbols"),
    ],
)
def test_what_does_not_fit_is_a_problem_at_its_setting(
    settings: Any, field: str, message: str
) -> None:
    params = EspeakFrontendParams(**settings)
    problems = dict(params.cross_check(sizes(len(params.all_symbols))))
    assert message in problems[field]
    with pytest.raises(ValueError, match=message.replace("[", r"\[")[:30]):
        params.build(sizes(len(params.all_symbols)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "klingonese"}, r"'klingonese' is no language of espeak-ng, which has more"),
        ({"voice": "german"}, r"'german' is no voice of espeak-ng; a voice is the code"),
        ({"voice": "de+../x"}, r"is no voice of espeak-ng"),
        ({"lexicon": "word"}, r"line 1 has the word 'word' without symbols; a line is a word and"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EspeakFrontendParams(**settings)


def test_a_normalizer_of_another_language_is_a_problem() -> None:
    settings = {
        "frontend.voice": "de",
        "frontend.symbols": list(GERMAN),
        "frontend.normalizer": {"type": "english"},
        "vocab_size": len(GERMAN),
    }
    with pytest.raises(SpecError, match=r"normalizer `english` knows en, but the voice speaks de"):
        load_spec("small", overrides={**FEW, **settings})


def test_the_lexicon_and_the_normalizer_are_in_the_spec_and_its_copies() -> None:
    settings = {
        "frontend.normalizer": {"type": "english"},
        "frontend.lexicon": "Tolkien  t ˈ ɑː l k iː n",
    }
    spec = load_spec("small", overrides={**FEW, **settings})
    assert spec.frontend is not None
    symbols = spec.frontend.build(spec.sizes).phonemize("Tolkien has $5.")
    assert "".join(symbols).startswith("tˈɑːlkiːn")
    assert "dˈɑːlɚz" in "".join(symbols)


def test_a_text_of_another_language_is_told_by_voices_of_other_languages_too() -> None:
    frontend = built(voice="de", symbols=GERMAN)
    with pytest.warns(
        FrontendWarning, match=r"seems to be English; the voice `de` reads .* German"
    ):
        frontend.phonemize("This is the house and that was it")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frontend.phonemize("das ist ein Haus")


def test_letters_that_a_language_does_not_use_are_refused() -> None:
    russian = built(voice="ru", symbols=("_", *PAUSES, "ˈ", "p", "r", "ʲ", "i", "v", "e", "t", "ɪ"))
    with pytest.raises(
        FrontendError,
        match=r"'π' of another script; the voice `ru` reads Russian "
        r"in Latin or Cyrillic letters",
    ):
        russian.phonemize("π")
