"""The table of languages against espeak-ng's own list, and names for it."""

from __future__ import annotations

import ctypes

import pytest

from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import EspeakLibrary, _Voice, library_of_this_process
from kokoro_plugins.speech.params import EspeakFrontendParams
from kokoro_plugins.speech.text.languages import (
    LANGUAGES,
    base_of,
    code_of,
    is_voice,
    name_of,
    scripts_of,
)
from kokoro_plugins.speech.text.symbol_set import symbols_of_texts

TEXT = "1, 2, 3, abba mata!"
"""Digits, and letters for the three languages that do not read digits."""

LEFT_OUT = {"piqd", "xex", "fo", "kaa"}
"""Klingon in letters of its own, a test, and two whose dictionaries espeakng-loader lacks."""


def test_the_table_is_espeaks_list() -> None:
    library = EspeakLibrary()
    list_voices = library._library.espeak_ListVoices
    list_voices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    found: dict[str, str] = {}
    voices, index = list_voices(None), 0
    while voices[index]:
        each = voices[index].contents
        found.setdefault(each.languages[1:].decode(), each.name.decode().strip())
        index += 1
    assert {code: name for code, name in found.items() if code not in LEFT_OUT} == LANGUAGES


@pytest.mark.parametrize(
    ("language", "code"),
    [
        *(("de", "de"), ("German", "de"), ("german", "de"), ("en", "en-us"), ("english", "en-us")),
        *(("fr", "fr-fr"), ("french", "fr-fr"), ("French (Belgium)", "fr-be"), ("zh", "cmn")),
        *(("portuguese", "pt"), ("pt-BR", "pt-br"), ("Spanish", "es"), ("norwegian", "nb")),
        ("tlh", None),
    ],
)
def test_a_language_is_found_by_code_and_by_name(language: str, code: str | None) -> None:
    assert code_of(language) == code


def test_a_voice_has_a_language_a_name_and_scripts() -> None:
    assert (base_of("en-gb+f3"), base_of("de+f3"), base_of("de")) == ("en", "de", "de")
    assert (name_of("en-gb+f3"), name_of("ru")) == ("English", "Russian")
    assert list(scripts_of("ru")) == ["LATIN", "CYRILLIC"]
    assert list(scripts_of("ja")) == ["LATIN", "CJK", "HIRAGANA", "KATAKANA"]
    assert list(scripts_of("de")) == ["LATIN"]


@pytest.mark.parametrize(
    ("voice", "is_one"),
    [("de", True), ("en-us+f3", True), ("german", False), ("de+", False), ("de+../x", False)],
)
def test_a_voice_is_a_code_and_perhaps_a_variant(voice: str, is_one: bool) -> None:
    assert is_voice(voice) is is_one


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_speaks_with_the_symbols_that_are_made_of_a_text(code: str) -> None:
    """The names lead to the codes too, but for kinds of a language of which another is usual."""
    espeak = Espeak(code, library=library_of_this_process)
    symbols = symbols_of_texts(espeak, [TEXT])
    frontend = EspeakFrontendParams(voice=code, symbols=symbols).build(
        Sizes(vocab_size=len(symbols), pad_id=0, mel_dim=80, hidden_dim=8)
    )
    spoken = frontend.phonemize(TEXT)
    assert spoken[-1] == "!"
    assert len(set(spoken)) > 4
    assert code_of(LANGUAGES[code]) in LANGUAGES
