"""What the component makes of texts."""

from __future__ import annotations

import pytest

from kokoro_core import load_spec
from kokoro_core.errors import FrontendError
from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.frontend.params import ExampleParams

SIZES = Sizes(vocab_size=33, pad_id=0, mel_dim=80, hidden_dim=16)


def test_a_text_becomes_indices_in_the_order_of_the_symbols() -> None:
    frontend = ExampleParams().build(SIZES)
    assert frontend.encode("A cab!") == [2, 1, 4, 2, 3, 32]
    assert frontend.symbols[0] == "_"


@pytest.mark.parametrize(
    ("text", "message"),
    [(" ", "`text` must have something"), ("a#_", r"`text` has '#', '_' in it, which no")],
)
def test_a_text_that_cannot_be_spoken_is_refused(text: str, message: str) -> None:
    with pytest.raises(FrontendError, match=message):
        ExampleParams().build(SIZES).encode(text)


def test_a_spec_with_another_number_of_symbols_has_a_problem() -> None:
    frontend = {"type": "example-plugin/example", "letters": "ab"}
    overrides = {"frontend": frontend}
    assert load_spec("small", overrides={**overrides, "vocab_size": 3}).frontend is not None
    with pytest.raises(ValueError, match="there are 3 symbols, padding included"):
        load_spec("small", overrides=overrides)
