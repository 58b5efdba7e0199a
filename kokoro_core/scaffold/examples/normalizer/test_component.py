"""What the component makes of texts."""

from __future__ import annotations

import pytest

from kokoro_core import load_spec
from kokoro_core.scaffold.examples.normalizer.params import ExampleParams


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Call 911.", "Call nine one one."),
        ("Room 4, not 10", "Room four, not one zero"),
        ("R2 stays", "R2 stays"),
        ("", ""),
    ],
)
def test_numbers_become_words(text: str, words: str) -> None:
    assert ExampleParams().build().normalize(text) == words


def test_a_frontend_can_have_it() -> None:
    normalizer = {"type": "example-plugin/example"}
    spec = load_spec("small", overrides={"frontend.normalizer": normalizer})
    assert ExampleParams() == getattr(spec.frontend, "normalizer", None)
