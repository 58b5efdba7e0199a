"""The frontend `symbols`: a text that already is symbols, by index."""

from __future__ import annotations

from typing import Any

import pytest

from kokoro_core import KokoroModel, SpecError, load_spec
from kokoro_core.contracts import Frontend
from kokoro_core.errors import FrontendError
from kokoro_core.params.sizes import Sizes
from kokoro_core.speech import speak
from kokoro_plugins.symbols.params import SymbolsFrontendParams

PHONEMES = ("<pad>", "HH", "AH0", "L", "OW1", ".", "<end>")
LETTERS = ("_", "a", "b", "ä", " ", "'")


def frontend(symbols: tuple[str, ...] = PHONEMES, **settings: Any) -> Frontend:
    sizes = Sizes(vocab_size=len(symbols), pad_id=0, mel_dim=80, hidden_dim=8)
    return SymbolsFrontendParams(symbols=symbols, **settings).build(sizes)


def test_symbols_stand_between_blanks() -> None:
    assert frontend().phonemize(" HH AH0\tL\n OW1 . ") == ["HH", "AH0", "L", "OW1", "."]
    assert frontend().encode("HH AH0") == [1, 2]


def test_a_text_may_end_with_a_symbol_of_its_own() -> None:
    assert frontend(end="<end>").encode("HH AH0") == [1, 2, 6]


def test_characters_may_be_symbols_blanks_included() -> None:
    letters = frontend(LETTERS, split="characters")
    assert letters.phonemize("a b") == ["a", " ", "b"]
    assert letters.encode("a\u0308'b") == [3, 5, 2]


def test_small_letters_and_a_symbol_between_all_others() -> None:
    letters = frontend(LETTERS, split="characters", lowercase=True, between="_")
    assert letters.encode("aBÄ") == [0, 1, 0, 2, 0, 3, 0]
    assert letters.positions("aBÄ") == [0, 0, 1, 1, 2, 2, 2]


def test_every_symbol_has_the_place_of_its_text() -> None:
    made = frontend(end="<end>")
    assert made.positions("HH  OW1 L") == [0, 4, 8, 8]
    assert len(made.positions("HH L") or ()) == len(made.phonemize("HH L"))


def test_a_text_that_is_no_symbols_is_refused_by_what_is_none() -> None:
    with pytest.raises(FrontendError, match=r"`text` must have a symbol in it, but it is blank"):
        frontend(split="characters").phonemize(" \n")
    with pytest.raises(
        FrontendError, match=r"`text` has 'AA9', 'hh', which .* its 7 symbols begin with '<pad>', '"
    ):
        frontend().phonemize("hh AA9 L hh")
    with pytest.raises(FrontendError, match=r"'a', .*, 'h' and 2 more, which"):
        frontend().phonemize("a b c d e f g h i j")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"symbols": ["_", "a"]}, "2 symbols are listed, but `vocab_size` is 3; there must be one"),
        ({"symbols": ["_", "a", "a"]}, "'a' is listed more than once"),
        ({"symbols": ["_", "a", "b"], "end": "c"}, "frontend.end: 'c' is not among the symbols"),
        ({"symbols": ["_", "a", "b"], "between": "|"}, "frontend.between: '|' is not among"),
    ],
)
def test_symbols_that_are_not_the_models_are_problems_of_the_spec(
    settings: dict[str, Any], message: str
) -> None:
    overrides = {"vocab_size": 3, "frontend": {"type": "symbols", **settings}}
    with pytest.raises(SpecError) as caught:
        load_spec("small", overrides=overrides)
    assert message in str(caught.value)


def test_a_frontend_of_other_symbols_than_the_models_is_not_built() -> None:
    sizes = Sizes(vocab_size=9, pad_id=0, mel_dim=80, hidden_dim=8)
    with pytest.raises(ValueError, match="`symbols`: 7 symbols are listed, but `vocab_size` is 9"):
        SymbolsFrontendParams(symbols=PHONEMES).build(sizes)


def test_a_model_speaks_symbols() -> None:
    overrides = {
        "hidden_dim": 8,
        "vocab_size": len(PHONEMES),
        "encoder.num_layers": 1,
        "decoder.num_layers": 1,
        "frontend": {"type": "symbols", "symbols": PHONEMES, "end": "<end>"},
    }
    model = KokoroModel.from_spec("parallel", overrides=overrides).eval()
    assert speak(model, "HH AH0 L OW1 .").frames > 0
