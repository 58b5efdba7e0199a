"""How long it is quiet after a sentence."""

from __future__ import annotations

import pytest

from kokoro_core.speaking.pauses import CLAUSE, PARAGRAPH, SENTENCE, pause_after


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("It is. ", SENTENCE),
        ("Is it?", SENTENCE),
        ("“It is!” ", SENTENCE),
        ("Wait…", SENTENCE),
        ("你好。", SENTENCE),
        ("and so on,\n", CLAUSE),
        ("no mark", CLAUSE),
        ("It is.\n\n", PARAGRAPH),
        ("A title \n \n  ", PARAGRAPH),
        ("a.\nb", CLAUSE),
    ],
)
def test_the_mark_and_the_blank_line_say_how_long(sentence: str, seconds: float) -> None:
    assert pause_after(sentence) == seconds
