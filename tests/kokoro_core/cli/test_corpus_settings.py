"""The option `--corpus-set`: what it means, and what it refuses."""

from __future__ import annotations

import pytest

from kokoro_core.cli.corpus_settings import read_corpus_settings


def test_values_are_those_of_yaml_and_a_later_one_wins() -> None:
    texts = ["cache_mib=2048", "durations=false", "voices=heart+joe", "cache_mib=1"]
    expected = {"cache_mib": 1, "durations": False, "voices": "heart+joe"}
    assert read_corpus_settings(texts) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cache", "`--corpus-set cache` must be NAME=VALUE, for example `cache_mib=2048`"),
        ("a.b=1", "`--corpus-set a.b=1` must be NAME=VALUE"),
        ("cache_mib=[1", r"--corpus-set cache_mib=\[1:1:3: while parsing a flow sequence"),
        ("path=x", "`--corpus-set path=x` is what `--data` says; use that"),
        ("type=x", "`--corpus-set type=x` is what `--corpus` says; use that"),
    ],
)
def test_what_is_not_a_setting_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_corpus_settings([text])
