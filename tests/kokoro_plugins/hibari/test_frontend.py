"""The frontend `hibari`: its symbols, what it refuses, and where each word stands."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest

from kokoro_core.contracts import Normalizer
from kokoro_core.errors import FrontendError
from kokoro_core.speaking.words import words_of
from kokoro_plugins.hibari.frontend import HibariFrontend
from kokoro_plugins.hibari.package import indices_by_character, make_g2p
from kokoro_plugins.hibari.reading import places_of
from kokoro_plugins.hibari.sentence_ends import LONGEST
from kokoro_plugins.hibari.sentences import make_sentences
from kokoro_plugins.hibari.symbols import MARKS, PAD, SILENCES, SOUNDS, SYMBOLS


def said(frontend: HibariFrontend, text: str) -> str:
    return "".join(frontend.phonemize(text))


def test_no_symbol_is_there_twice_and_each_has_a_character() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS) == 60
    assert all(len(each) == 1 for each in SYMBOLS[1:])
    assert SYMBOLS[0] == PAD


def test_the_sounds_are_those_of_the_lexicon_and_all_that_is_spoken_is_known_to_the_voice() -> None:
    pytest.importorskip("hibari")
    found = {"ɐ"}  # of the article, which rules read
    for kind in ("gold", "silver"):
        packed = files("hibari") / "assets" / f"lexicon_us_{kind}.json.gz"
        for entry in json.loads(gzip.decompress(packed.read_bytes())).values():
            for phonemes in entry.values() if isinstance(entry, dict) else [entry]:
                found |= set(phonemes or "")
    assert found - {"ɾ", "ʔ"} | {"T"} == SOUNDS  # the package writes T and t for those two
    assert {*SOUNDS, *MARKS} <= set(indices_by_character())


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("Hello there.", "^həlˈO_ðˈɛɹ.$"),
        ("Hello   there.\n", "^həlˈO_ðˈɛɹ.$"),
        ("Dr. Smith has 5 km to go!", "^dˈɑktəɹ_smˈɪθ_hæz_fˈIv_kəlˈɑməTəɹz_tə_ɡˌO!$"),
        ('"Well," he said.', "^wˈɛl,_hi_sˈɛd.$"),
        ('The "apples" fell.', "^ðə_ˈæpᵊlz_fˈɛl.$"),
        ("Say [[h ə l ˈ O]] now.", "^sˈA_həlˈO_nˈW.$"),
        ("Say [[həl ˈO _ ðˈɛɹ]] now.", "^sˈA_həlˈO_ðˈɛɹ_nˈW.$"),
        ("Say [hibari](/hibˈɑɹi/) now.", "^sˈA_hibˈɑɹi_nˈW.$"),
        ("Hm -- what?", "^hm_wˌʌt?$"),
    ],
)
def test_a_text_is_read_as_the_package_reads_it_with_ends_and_breaks(
    frontend: HibariFrontend, text: str, phonemes: str
) -> None:
    assert said(frontend, text) == phonemes


def test_every_sentence_of_the_corpus_is_what_the_package_says(frontend: HibariFrontend) -> None:
    g2p = make_g2p()
    for text in make_sentences(60, seed=1):
        if not set(text) & set("“”"):
            assert said(frontend, text) == f"^{g2p(text).replace(' ', '_')}$"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", r"`text` is empty: '  '; write at least one word"),
        ("...", r"`text` has nothing to speak: '\.\.\.'; write at least one word"),
        ("Tokyo is 東京.", r"`text` has '東', '京', which the frontend `hibari` would pass over"),
        ("Smile 😀.", r"`text` has '😀', which the frontend"),
        ("no\u200bthing", r"`text` has '\\u200b', which the frontend"),
        ("10⁵ m", r"`text` has '⁵', which the frontend"),
        ("5 ₽ and ✓", r"`text` has '₽', '✓', which the frontend"),
        ("the € sign", r"`text` has '€', which the frontend"),
        ("a € and $5", r"`text` has '€', which the frontend"),
        ("so //", "`text` has '//', which hibari-tts passes over"),
        ("a >", "`text` has '>', which hibari-tts passes over; write it in words, or its phonem"),
        (
            "x" * 25,
            "`text` has 'x{25}', and the frontend `hibari` spells words of up to 24 letters",
        ),
        ("[[h x]]", r"`text` has 'x', which are no sounds in `\[\[h x\]\]`; between the brackets"),
        ("[[ ]] a", r"`text` has no phoneme in `\[\[ \]\]`"),
        ("[[_]] a", r"`text` has no phoneme in `\[\[_\]\]`"),
        ("•", "`text` has nothing to speak: '•'; write at least one word"),
    ],
)
def test_what_would_be_passed_over_is_refused(
    frontend: HibariFrontend, text: str, message: str
) -> None:
    with pytest.raises(FrontendError, match=message):
        frontend.phonemize(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("It is 20°C.", "It is 20 degrees Celsius."),
        ("© 2023 Acme™.", "copyright 2023 Acme."),
        ("It costs 20 €.", "It costs €20."),
        ("a ≠ b", "a is not equal to b"),
        ("x = -5", "x equals minus 5"),
        ("She said no.", "She said [[n ˈ O]]."),
        ("[Laughter] Yes.", "(Laughter) Yes."),
        ("It's 6'2\".", "It's six feet two inches."),
    ],
)
def test_signs_are_said_as_their_words(frontend: HibariFrontend, text: str, same: str) -> None:
    assert said(frontend, text) == said(frontend, same)


def test_what_a_normalizer_writes_in_words_is_not_refused() -> None:
    pytest.importorskip("hibari")

    class Powers(Normalizer):
        def normalize(self, text: str) -> str:
            return text.replace("⁵", " to the fifth")

    own = HibariFrontend(g2p=make_g2p(), normalizer=Powers())
    assert said(own, "10⁵ m") == said(own, "10 to the fifth m")


def test_accents_of_latin_letters_are_read(frontend: HibariFrontend) -> None:
    composed, decomposed = "Naïve café.", "Nai\u0308ve cafe\u0301."
    assert said(frontend, composed) == said(frontend, decomposed) == "^nIˈiv_kæfˈA.$"


def test_a_lexicon_wins_also_for_a_word_with_a_capital(frontend: HibariFrontend) -> None:
    own = HibariFrontend(g2p=make_g2p(), lexicon={"gif": "ʤˈɪf", "Nice": "nˈis"})
    assert said(own, "Gif, gif.") == "^ʤˈɪf,_ʤˈɪf.$"
    assert said(own, "Nice is nice.") == "^nˈis_ɪz_nˈIs.$"


def test_each_symbol_stands_at_its_word(frontend: HibariFrontend) -> None:
    text = "Dr. Smith paid $9.99 for [[t ˈ u]] in 1990!"
    symbols, places = frontend.phonemize(text), frontend.positions(text)
    words = words_of(text, symbols, places)
    spoken = [each.text for each in words if each.text]
    assert spoken == ["Dr.", "Smith", "paid", "$9.99", "for", "[[t ˈ u]]", "in", "1990!"]
    assert words[0].symbols == ("^",)
    assert [each for word in words for each in word.symbols] == symbols


def test_places_are_shared_out_where_words_differ() -> None:
    assert places_of("a 5km b", "a 5 kilometers b") == [0, 2, 2, 6]
    assert places_of("a New York b", "a NYC b") == [0, 2, 11]


def test_breaks_and_silences_are_pauses_and_never_padding(frontend: HibariFrontend) -> None:
    indices = frontend.encode("One, two.")
    assert 0 not in indices
    assert [SYMBOLS[each] for each in indices if SYMBOLS[each] in SILENCES] == ["^", "_", "$"]


@pytest.mark.parametrize(
    "text",
    [
        "One here. Two there!  And “three.”\n\nA paragraph\nin two lines (so be it). End",
        "Dr. Smith met Mr. Jones. They left.",
        "No end, " * 60 + "at last.",
        "word " * 100,
        "  \n",
        "...",
    ],
)
def test_sentences_are_the_text_in_parts_that_are_not_too_long(
    frontend: HibariFrontend, text: str
) -> None:
    sentences = frontend.sentences(text)
    assert "".join(sentences) == text
    assert max(len(each.strip()) for each in sentences) <= LONGEST


def test_a_sentence_ends_neither_at_a_title_nor_at_the_end_of_a_line(
    frontend: HibariFrontend,
) -> None:
    text = "Dr. Smith\nleft. He was [[h ˈ i . ]] here."
    assert frontend.sentences(text) == ["Dr. Smith\nleft. ", "He was [[h ˈ i . ]] here."]
