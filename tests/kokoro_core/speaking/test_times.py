"""When each word is heard."""

from __future__ import annotations

from kokoro_core.speaking.time_files import _clock
from kokoro_core.speaking.times import TimedPhoneme, TimedWord, timed_words


def test_words_begin_with_their_first_phoneme_and_end_with_their_last() -> None:
    words = timed_words("Go on.", ["ɡ", "oʊ", "ɑː", "n", "."], [0, 0, 3, 3, 6], [1, 2, 4, 5, 9])
    assert words == (
        TimedWord("Go", 0.0, 2, (TimedPhoneme("ɡ", 0.0, 1), TimedPhoneme("oʊ", 1, 2))),
        TimedWord("on.", 2, 5, (TimedPhoneme("ɑː", 2, 4), TimedPhoneme("n", 4, 5))),
        TimedWord("", 5, 9, (TimedPhoneme(".", 5, 9),)),
    )


def test_without_places_the_text_is_one_word() -> None:
    [word] = timed_words("ɡ oʊ", ["ɡ", "oʊ"], None, [0.5, 2.0])
    assert (word.text, word.start, word.end, len(word.phonemes)) == ("ɡ oʊ", 0.0, 2.0, 2)


def test_a_later_word_has_later_phonemes() -> None:
    [word] = timed_words("a", ["a"], [0], [1.0])
    assert word.later(2.0) == TimedWord("a", 2.0, 3.0, (TimedPhoneme("a", 2.0, 3.0),))


def test_clocks_have_hours_and_thousandths() -> None:
    assert _clock(3725.0625) == "01:02:05.062"
    assert _clock(59.9996) == "00:01:00.000"
