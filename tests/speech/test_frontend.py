"""The frontend `espeak`: text to symbols, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import espeakng_loader
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonemizer.backend.espeak.wrapper import EspeakWrapper

from kokoro_core.outer_contracts import FrontendError
from kokoro_core.spec.sizes import Sizes
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import EspeakFrontend, check_text
from kokoro_plugins.speech.params import EspeakFrontendParams
from kokoro_plugins.speech.sentences import make_sentences
from kokoro_plugins.speech.vocabulary import PAUSES, SYMBOLS, split_phoneme


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Hello", "h ə l ˈ oʊ ."),
        ("Is it cheap?", "ɪ z ɪ t tʃ ˈ iː p ?"),
        ("Yes, a judge!", "j ˈ ɛ s , ɐ dʒ ˈ ʌ dʒ !"),
        ("carrying the fire", "k ˈ æ ɹ i ɪ ŋ ð ə f ˈ aɪ ɚ ."),
        ("3.5", "θ ɹ ˈ iː p ɔɪ n t f ˈ aɪ v ."),
        ("a cafe\u0301", "ɐ k æ f ˈ eɪ ."),
        ("two\nlines", "t ˈ uː l ˈ aɪ n z ."),
    ],
)
def test_a_text_becomes_phonemes_stress_and_pauses(
    frontend: EspeakFrontend, text: str, symbols: str
) -> None:
    assert frontend.phonemize(text) == symbols.split()


def test_composed_and_decomposed_letters_are_the_same(frontend: EspeakFrontend) -> None:
    assert frontend.encode("caf\u00e9") == frontend.encode("cafe\u0301")


def test_the_phonemes_are_those_of_phonemizer(frontend: EspeakFrontend) -> None:
    """A peer: phonemizer asks the same library for text, where we take the synthesis's events."""
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    peer = EspeakWrapper()
    peer.set_voice("en-us")
    for text in make_sentences(200, seed=3):
        phonemes = [
            each for each in peer.text_to_phonemes(text).replace(" ", "_").split("_") if each
        ]
        expected = [symbol for each in phonemes for symbol in split_phoneme(each) or ["unknown"]]
        assert [each for each in frontend.phonemize(text) if each not in PAUSES] == expected


def test_indices_are_those_of_the_symbols_and_never_padding(frontend: EspeakFrontend) -> None:
    text = "The quick brown fox, it jumps!"
    indices = frontend.encode(text)
    assert [SYMBOLS[index] for index in indices] == frontend.phonemize(text)
    assert 0 not in indices


def test_a_text_always_has_the_same_symbols(frontend: EspeakFrontend) -> None:
    first = frontend.phonemize("Our little garden.")
    frontend.phonemize("Something else?")
    assert frontend.phonemize("Our little garden.") == first


def test_a_long_text_is_not_cut(frontend: EspeakFrontend) -> None:
    once = [each for each in frontend.phonemize("A word is here. ") if each not in PAUSES]
    many = [each for each in frontend.phonemize("A word is here. " * 200) if each not in PAUSES]
    assert many == once * 200


@given(
    text=st.text(
        st.characters(codec="latin-1", exclude_categories=["Cc"]) | st.sampled_from(".,?!\n'\"-"),
        max_size=40,
    )
)
@example(text="(a) [b] {c}")
@example(text="<b>&amp;")
@example(text="[[h@l'oU]]")
@example(text="(en)word(ru)")
def test_a_text_gives_symbols_or_one_clear_line(frontend: EspeakFrontend, text: str) -> None:
    try:
        symbols = frontend.phonemize(text)
    except FrontendError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert set(symbols) <= set(SYMBOLS[1:])
        assert set(symbols) - set(PAUSES)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_text_is_refused(frontend: EspeakFrontend, text: str) -> None:
    with pytest.raises(FrontendError, match=r"`text` is empty: .*; write at least one word\."):
        frontend.phonemize(text)


@pytest.mark.parametrize("text", ["?!", "...", "\"'", "—"])
def test_a_text_with_nothing_to_speak_is_refused(frontend: EspeakFrontend, text: str) -> None:
    with pytest.raises(FrontendError, match=r"`text` has nothing to speak: .*at least one word\."):
        frontend.phonemize(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Привет", "'П', 'р', 'и', 'в', 'е', …"),
        ("hello 你好", "'你', '好'"),
        ("π", "'π'"),
        ("שלום", "'ש', 'ל', 'ו', 'ם'"),
        ("room ٣", "'٣'"),
        ("ｆull", "'ｆ'"),
    ],
)
def test_another_script_is_refused_and_named(
    frontend: EspeakFrontend, text: str, named: str
) -> None:
    with pytest.raises(FrontendError, match=rf"`text` has {named} of another script; .* English"):
        frontend.encode(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a\x00b\x1b", r"'\\x00', '\\x1b', control"),
        ("chapter \N{ROMAN NUMERAL EIGHT}", "'\N{ROMAN NUMERAL EIGHT}'"),
        ("good \N{GRINNING FACE}", "'\N{GRINNING FACE}'"),
        ("half \ud800", r"'\\ud800'"),
    ],
)
def test_what_is_read_as_no_word_is_refused_and_named(text: str, named: str) -> None:
    with pytest.raises(FrontendError, match=f"`text` has {named}"):
        check_text(text)


def test_signs_that_are_read_as_words_are_spoken() -> None:
    assert check_text("20 °C, 5 % © 2026") == "20 °C, 5 % © 2026"


def test_a_symbol_that_is_unknown_or_padding_has_no_index(frontend: EspeakFrontend) -> None:
    with pytest.raises(FrontendError, match=r"has no index for 'q', 'ʘ'; its 63 symbols"):
        frontend.indices(["q", "p", "ʘ"])
    with pytest.raises(FrontendError, match=r"keeps the symbol '_' for padding"):
        frontend.indices(["p", "_"])


def test_a_sound_without_a_symbol_is_an_error_that_names_it(tmp_path: Path) -> None:
    espeak = Espeak("en-us")
    espeak._name = "fr"  # no public way leads to such a voice
    with pytest.raises(FrontendError, match=r"speaks '.*' in 'bon vin', for which the vocabulary"):
        EspeakFrontend(espeak=espeak).phonemize("bon vin")


def test_params_build_the_voice_they_name() -> None:
    sizes = Sizes(vocab_size=63, pad_id=0, mel_dim=80, hidden_dim=8)
    built = EspeakFrontendParams(voice="en-gb").build(sizes)
    assert built.symbols == SYMBOLS
    assert "ɒ" in built.phonemize("hot")


@pytest.mark.parametrize(
    ("vocab_size", "pad_id", "message"),
    [
        (64, 0, r"has 63 symbols, but `vocab_size` is 64; set `vocab_size: 63`"),
        (63, 1, r"pads with 0, but `pad_id` is 1; set `pad_id: 0`"),
        (64, 1, r"`vocab_size: 63`; .*`pad_id: 0`"),
    ],
)
def test_params_refuse_a_model_with_other_symbols(
    vocab_size: int, pad_id: int, message: str
) -> None:
    sizes = Sizes(vocab_size=vocab_size, pad_id=pad_id, mel_dim=80, hidden_dim=8)
    with pytest.raises(ValueError, match=message):
        EspeakFrontendParams().build(sizes)
    assert list(EspeakFrontendParams().cross_check(sizes))
    assert not list(EspeakFrontendParams().cross_check(Sizes(63, 0, 80, 8)))
