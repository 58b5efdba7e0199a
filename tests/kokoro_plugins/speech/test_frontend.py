"""The frontend `espeak`: text to symbols, and what it refuses."""

from __future__ import annotations

import re
import unicodedata
import warnings
from pathlib import Path

import espeakng_loader
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonemizer.backend.espeak.wrapper import EspeakWrapper
from pydantic import ValidationError

from kokoro_core.errors import FrontendError, FrontendWarning
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import EspeakFrontend, check_text
from kokoro_plugins.speech.params import EspeakCorpusParams, EspeakFrontendParams
from kokoro_plugins.speech.sentences import make_sentences
from kokoro_plugins.speech.vocabulary import ENGLISH, PAUSES, SYMBOLS


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
        expected = [symbol for each in phonemes for symbol in ENGLISH.split(each) or ["unknown"]]
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
@pytest.mark.filterwarnings("ignore::kokoro_core.errors.FrontendWarning")
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
    with pytest.raises(
        FrontendError,
        match=rf"`text` has {named} of another script; .* reads English in Latin letters",
    ):
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


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("five ₽", "'₽'"),
        ("5‰ of ⅕ cup", "'‰', '⅕'"),
        ("a ⇒ b", "'⇒'"),
        ("5′ 3″", "'′', '″'"),
        ("<b>bold</b>", "'<', '>'"),
    ],
)
def test_signs_that_a_voice_passes_over_are_refused_and_named(
    frontend: EspeakFrontend, text: str, named: str
) -> None:
    with pytest.raises(FrontendError, match=f"`text` has {named}, control characters, pictures or"):
        frontend.phonemize(text)


def test_signs_of_mathematics_and_money_that_are_words_are_spoken(frontend: EspeakFrontend) -> None:
    plain = "".join(frontend.phonemize("a b"))
    for sign in "≠≤≥≈√∞±×÷€£¥½²→":
        assert len("".join(frontend.phonemize(f"a {sign} b"))) > len(plain) + 2, sign


def test_signs_that_are_read_as_words_are_spoken(frontend: EspeakFrontend) -> None:
    spoken = frontend.phonemize("20 °C, 5 % © 2026")
    assert "".join(frontend.phonemize("percent")).rstrip(".") in "".join(spoken)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Dr. No, go.", "d ˈ ɑː k t ɚ n ˈ oʊ , ɡ ˈ oʊ ."),
        ("Mr. Ed", "m ˈ ɪ s t ɚ ˈ ɛ d ."),
        ("St. Paul", "s ə n t p ˈ ɔː l ."),
        ("Prof. X", "p ɹ ˈ ɑː f ˈ ɛ k s ."),
        ("No. Go!", "n ˈ oʊ . ɡ ˈ oʊ !"),
    ],
)
def test_an_abbreviation_is_followed_by_no_pause(
    frontend: EspeakFrontend, text: str, symbols: str
) -> None:
    assert frontend.phonemize(text) == symbols.split()


def test_each_symbol_knows_where_its_word_begins(frontend: EspeakFrontend) -> None:
    text = "Mr. Ed's cafe\u0301 paid, I think,\n42 dollars."
    composed = unicodedata.normalize("NFC", text)
    places = frontend.positions(text)
    symbols = frontend.phonemize(text)
    assert len(places) == len(symbols)
    assert places == sorted(places)
    for word, first in (("Mr.", "m"), ("cafe\u0301", "k"), ("think", "θ"), ("dollars", "d")):
        place = composed.index(unicodedata.normalize("NFC", word))
        assert symbols[places.index(place)] == first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"Why so much?" he asked', ["Why", "so", "much", "he", "asked"]),
        ("Too much, Dr. Smith, as well as 3.5", ["Too", "much", "Dr", "Smith", "as", "well"]),
        ("It's so. FBI", ["It's", "so", "FBI"]),
    ],
)
def test_words_that_espeak_joins_have_places_of_their_own(
    frontend: EspeakFrontend, text: str, words: list[str]
) -> None:
    symbols, places = frontend.phonemize(text), frontend.positions(text)
    sounds = [place for each, place in zip(symbols, places, strict=True) if each not in PAUSES]
    found = [re.match(r"[\w']+", text[place:]) for place in dict.fromkeys(sounds)]
    assert [each.group() for each in found if each][: len(words)] == words
    assert places == sorted(places)


def test_the_word_with_a_sound_that_has_no_symbol_is_named(frontend: EspeakFrontend) -> None:
    with pytest.raises(FrontendError, match=r"speaks 'o' in 'Tolkien', for which"):
        frontend.phonemize("The books of Tolkien are long.")


@pytest.mark.parametrize(
    ("text", "word", "letter"),
    [
        ("My friend Nguyễn is here.", "Nguyễn", "ễ"),
        ("NGUYỄN", "NGUYỄN", "Ễ"),
        ("in ĐÀ NẴNG.", "NẴNG.", "Ẵ"),
        ("naĀ", "naĀ", "Ā"),
        ("the letter ǆ", "ǆ", "ǆ"),
        ("a Ꜣ b", "Ꜣ", "Ꜣ"),
    ],
)
def test_a_letter_that_is_named_instead_of_read_is_refused(
    frontend: EspeakFrontend, text: str, word: str, letter: str
) -> None:
    with pytest.raises(FrontendError, match=rf"`text` has '{word}' with '{letter}', which espeak"):
        frontend.phonemize(text)


@pytest.mark.parametrize(
    "text", ["naïve café", "Müller", "Łódź", "Dvořák", "Æsop", "þing", "São Paulo", "CAFÉ", "é"]
)
def test_words_with_accents_that_are_read_are_spoken(frontend: EspeakFrontend, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FrontendWarning)
        assert frontend.phonemize(text)


LATIN = [
    each
    for each in map(chr, range(0x80, 0x20000))
    if unicodedata.name(each, "").startswith("LATIN") and unicodedata.category(each)[0] == "L"
]


@pytest.mark.filterwarnings("ignore::kokoro_core.errors.FrontendWarning")
@pytest.mark.parametrize("wrapped", ["na{}o", "Na{}"])
def test_no_latin_letter_is_spelled_out_by_number(frontend: EspeakFrontend, wrapped: str) -> None:
    """No reading that is let through has the word "letter" in it, stressed or not."""
    passed, refused = [], 0
    for each in LATIN:
        try:
            passed.append("".join(frontend.phonemize(wrapped.format(each))))
        except FrontendError:
            refused += 1
    assert len(LATIN) > 1100
    assert refused > 400
    assert len(passed) > 100
    assert not [each for each in passed if "lɛɾɚ" in each.replace("ˈ", "").replace("ˌ", "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("It cost $260 million.", r"has '\$260', of which the sign is read before the number"),
        ("£5m or € 7", r"has '£5m', '€ 7', of which"),
        ("World War II, and Henry VIII.", r"has 'II', 'VIII', which is read with .*roman"),
        ("Ich heiße Anna", r"has 'heiße' with letters that English does not use; .*`en-us`"),
        ("Schöne Grüsse", r"has 'Schöne', 'Grüsse' with letters"),
        ("Österreich", r"has 'Österreich' with letters"),
        ("Der Hund ist nicht hier.", r"seems to be German; the voice `en-us` reads another"),
        ("Je ne sais pas.", r"seems to be French"),
        ("El perro es grande", r"seems to be Spanish"),
        ("Il gatto non dorme", r"seems to be Italian"),
        ("Het is een hond", r"seems to be Dutch"),
        ("Danke, mir geht es sehr gut.", r"seems to be German"),
        ("Bonjour, merci pour le livre.", r"seems to be French"),
        ("Hola, muchas gracias por todo", r"seems to be Spanish"),
        ("Ciao, grazie per il libro", r"seems to be Italian"),
        ("Muito obrigado por tudo", r"seems to be Portuguese"),
        ("Jag har inte tid", r"seems to be Swedish"),
        ("Nie wiem, czy to jest dobre", r"seems to be Polish"),
    ],
)
def test_what_is_surely_not_read_as_it_is_meant_is_said(
    frontend: EspeakFrontend, text: str, message: str
) -> None:
    with pytest.warns(FrontendWarning, match=message):
        frontend.encode(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Mr. Müller is naïve.", "I mix it. MIX, DC", "5 dollars", "CIVIL"),
        "Vincent van Gogh, de Kooning",
        "Que sera sera, she sang to the de la Cruz family.",
        "Je ne sais pas, he said to her in the hall of the house.",
        "Los Angeles and Las Vegas",
        "He is in Rio de Janeiro with the mother.",
    ],
)
def test_what_is_read_rightly_is_spoken_without_a_word(frontend: EspeakFrontend, text: str) -> None:
    assert frontend.encode(text)


def test_a_voice_of_another_language_is_refused_with_those_that_work() -> None:
    with pytest.raises(ValidationError, match=r"'de' is no voice whose sounds .* 'en-gb-x-rp', w"):
        EspeakCorpusParams(path="x", voice="de")
    with pytest.raises(ValidationError, match=r"'en' is no voice .*'en-us', 'en-us-nyc'"):
        EspeakCorpusParams(path="x", voice="en")


def test_a_symbol_that_is_unknown_or_padding_has_no_index(frontend: EspeakFrontend) -> None:
    with pytest.raises(FrontendError, match=r"has no index for 'q', 'ʘ'; its 63 symbols"):
        frontend.indices(["q", "p", "ʘ"])
    with pytest.raises(FrontendError, match=r"keeps the symbol '_' for padding"):
        frontend.indices(["p", "_"])


def test_a_sound_without_a_symbol_is_an_error_that_names_it(tmp_path: Path) -> None:
    espeak = Espeak("en-us")
    espeak._name = "fr"  # no public way leads to such a voice
    with pytest.raises(FrontendError, match=r"speaks '.*' in 'bon', 'vin', for which"):
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
