"""Signs that hibari-tts passes over or misreads: their words, and which are left for nobody."""

from __future__ import annotations

import pytest

from kokoro_plugins.hibari.sentences import make_sentences
from kokoro_plugins.hibari.signs import in_words, unread


def words(text: str) -> str:
    """Return a text in words with one blank between each two."""
    return " ".join(in_words(text).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 20€, or 20 € a day.", "It costs €20, or €20 a day."),
        ("5$ and 5 £ and 1,000.50 €", "$5 and £5 and €1,000.50"),
        ("$5-$10, $5–10, €5-7", "5 to $10, 5 to $10, 5 to €7"),
        ("€2bn, $1.5 tn", "€2 billion, $1.5 trillion"),
        ("$-5 and -$5", "minus $5 and minus $5"),
        ("€1,50 each, $5/month", "€1.50 each, $5 per month"),
        ("US$5", "U.S. $5"),
        ("$5, $5.50 and £3,000", "$5, $5.50 and £3,000"),
    ],
)
def test_money_is_written_as_the_lexicon_reads_it(text: str, expected: str) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100 000 people, 5 000 000 cars", "100,000 people, 5,000,000 cars"),
        ("1.000.000 people", "1,000,000 people"),
        ("in 2020 000", "in 2020 000"),
        (
            "Version 2.0.1, at 192.168.0.1.",
            "Version 2 point 0 point 1, at 192 point 168 point 0 point 1.",
        ),
        ("1,5 and 2,75", "1.5 and 2.75"),
        ("1,500 and 2,750,000 and 3, 4", "1,500 and 2,750,000 and 3, 4"),
        ("1½ cups, ½ cup", "1 and ½ cups, ½ cup"),
        ("on 2024/05/06", "on 2024-05-06"),
        ("3:1, 16:9, 10:30", "3 to 1, 16 to 9, 10:30"),
        ("5'11 and 6'2\" and 5′ 10″", "5 feet 11 inches and 6 feet 2 inches and 5 feet 10 inches"),
        ("5° 30′ 10″ and the '60s", "5° 30′ 10″ and the '60s"),
        ("pages 10–20, 3-5.", "pages 10 to 20, 3 to 5."),
        ("50-60%", "50 to 60%"),
        ("555-1234, 2023-12-25, 1-800-555-1234", "555-1234, 2023-12-25, 1-800-555-1234"),
    ],
)
def test_numbers_are_written_as_they_are_said(text: str, expected: str) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 − 3, x = -5, -.5", "7 minus 3, x = minus 5, minus .5"),
        ("well-known, F-16, 10-year", "well-known, F-16, 10-year"),
        ("2*3, 10**6, 1e-5", "2 times 3, 10^6, 1 e minus 5"),
        ("a ≠ b, a != b", "a is not equal to b, a is not equal to b"),
        ("x ≤ 1, y ≥ 2, z ≈ 3", "x is at most 1, y is at least 2, z is about 3"),
        ("√2, ∞, 5‰, ~ 5", "the square root of 2, infinity , 5 per mille , about 5"),
        ("№ 5, 20℃", "number 5, 20 degrees Celsius"),
        ("She said no. A fig.", "She said no . A fig ."),
        ("no. 7 and fig. 3", "no. 7 and fig. 3"),
        ("[Laughter] [hi](/h/)", "(Laughter) [hi](/h/)"),
        (r"a\b, /usr/bin, and/or", "a backslash b, slash usr/bin, and/or"),
    ],
)
def test_other_signs_are_written_in_words(text: str, expected: str) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bob.x@example.com.", "bob dot x at example dot com."),
        (
            "https://x.org/a?b=1",
            "https colon slash slash x dot org slash a question mark b equals 1",
        ),
        ("www.kokoro.org, x.io/y", "W W W dot kokoro dot org, x dot io slash y"),
        ("[x](https://x.org)", "[x](https://x.org)"),
        ("file.txt, U.S. and end.No", "file.txt, U.S. and end.No"),
    ],
)
def test_addresses_are_spelt_with_their_signs(text: str, expected: str) -> None:
    assert words(text) == expected


def test_the_sentences_of_the_corpus_stay_as_they_are_written() -> None:
    for part in ("training", "reporting"):
        for text in make_sentences(500, seed=0, part=part):
            assert in_words(text) == text


def test_what_nobody_reads_is_found_and_punctuation_is_not() -> None:
    assert unread("He (A) said: “b”—‘c’… 5% & $5 + é? ½ x²!") == []
    assert unread("5 ₽, ✓ and ′ and ₽ ♥") == ["₽", "✓", "′", "♥"]
