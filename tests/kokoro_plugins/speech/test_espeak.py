"""The binding of espeak-ng, and how its events become symbols and frames."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.errors import FrontendError
from kokoro_plugins.speech.alignment import Segment, frames_of, segments, symbols_of
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import SpeechEvent
from kokoro_plugins.speech.vocabulary import VOICES


def test_a_recording_comes_with_its_phonemes_in_order(espeak: Espeak) -> None:
    speech = espeak.speak("Hello there.")
    phonemes = [each.phoneme for each in speech.events if each.phoneme]
    assert phonemes == ["h", "ə", "l", "ˈoʊ", "ð", "ˈɛɹ"]
    samples = [each.sample for each in speech.events]
    assert samples == sorted(samples)
    assert samples[-1] <= len(speech.samples)
    assert speech.samples.dtype == np.int16
    assert np.abs(speech.samples).max() > 3000


def test_the_events_say_where_the_sound_is(espeak: Espeak) -> None:
    speech = espeak.speak("Stop, go.")
    silent = [each.sample for each in speech.events if each.kind == "phoneme" and not each.phoneme]
    go = next(each.sample for each in speech.events if each.phoneme == "ɡ")
    pause = speech.samples[silent[0] + 1500 : go]
    assert len(pause) > 2000
    assert np.abs(pause).max() < np.abs(speech.samples).max() / 50


def test_two_objects_give_the_same_samples_for_the_same_texts() -> None:
    texts = ["One two three.", "Four five."]
    first, second = ([voice.speak(text).samples for text in texts] for voice in _two())
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)


def _two() -> tuple[Espeak, Espeak]:
    return Espeak("en-us"), Espeak("en-us")


def test_objects_with_other_voices_do_not_disturb_each_other(espeak: Espeak) -> None:
    before = [each.phoneme for each in espeak.speak("hot").events]
    british = [each.phoneme for each in Espeak("en-gb").speak("hot").events]
    assert "ˈɒ" in british
    assert [each.phoneme for each in espeak.speak("hot").events] == before


def test_threads_that_share_a_voice_each_get_their_own_phonemes(espeak: Espeak) -> None:
    texts = [f"Number {number} is here." for number in range(12)]
    expected = {text: [each.phoneme for each in espeak.speak(text).events] for text in texts}
    got: dict[str, list[str]] = {}

    def work(text: str) -> None:
        got[text] = [each.phoneme for each in espeak.speak(text).events]

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert got == expected


@pytest.mark.parametrize("voice", [*VOICES, "en-us+f3"])
def test_every_listed_voice_speaks(voice: str) -> None:
    assert len(Espeak(voice).speak("yes").samples) > 1000


@pytest.mark.parametrize("voice", ["deutsch", "xx", "", "EN-US", "+f3"])
def test_another_voice_is_refused(voice: str) -> None:
    with pytest.raises(
        ValueError, match=rf"`voice` must be .*en-us, .*not '{voice}'\.".replace("+", r"\+")
    ):
        Espeak(voice)


@pytest.mark.parametrize("variant", ["zz", "", "../en"])
def test_an_unknown_variant_is_refused_and_the_known_are_listed(variant: str) -> None:
    with pytest.raises(
        ValueError, match=r"variant '.*', which espeak-ng does not have; it has .*f3"
    ):
        Espeak(f"en-us+{variant}")


def test_the_version_is_that_of_the_carried_library(espeak: Espeak) -> None:
    assert espeak.version().startswith("1.")


# What follows builds events by hand.


def _events(*items: tuple[str, int] | int) -> list[SpeechEvent]:
    """A pair is a phoneme and its sample, a bare number the end of a clause at that character."""
    made: list[SpeechEvent] = []
    sample = 0
    for item in items:
        if isinstance(item, int):
            made.append(SpeechEvent("clause_end", sample, "", item))
        else:
            sample = item[1]
            made.append(SpeechEvent("phoneme", sample, item[0], 0))
    return made


def test_two_empty_events_are_one_pause_and_one_is_none() -> None:
    events = _events(("h", 0), ("", 50), ("iː", 80), ("", 100), ("", 120), ("l", 1864))
    assert segments(events, "he l") == [
        Segment(("h",), 0),
        Segment(("iː",), 80),
        Segment((",",), 100),
        Segment(("l",), 1864),
    ]


def test_a_pause_too_short_for_a_mark_is_none_but_at_the_end() -> None:
    events = _events(("ə", 0), ("", 10), ("", 20), 2, ("l", 1773), ("", 1800), ("", 1810), 4)
    assert symbols_of(segments(events, "A. l")) == ["ə", "l", "."]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a.", "."),
        ("a", "."),
        ('a"', "."),
        ("a –", ","),
        ("a!", "!"),
        ("a?!", "?"),
        ("a,", ","),
        ("a…", "."),
        ('a?"  ', "?"),
        ("e.g. a:", ","),
        ("3.5%", "."),
    ],
)
def test_the_last_pause_is_named_by_the_punctuation_before_it(text: str, mark: str) -> None:
    events = _events(("ə", 0), ("", 10), ("", 20), len(text))
    assert symbols_of(segments(events, text)) == ["ə", mark]


def test_each_clause_has_a_pause_of_its_own_kind() -> None:
    events = _events(("ə", 0), ("", 10), ("", 20), 3, ("i", 3000), ("", 3040), ("", 3050), 5)
    assert symbols_of(segments(events, "a? i.")) == ["ə", "?", "i", "."]


def test_pauses_of_two_clauses_with_nothing_between_are_one() -> None:
    events = _events(("ə", 0), ("", 10), ("", 20), 3, ("", 20), ("", 25), 5)
    assert len(segments(events, "a? ) ")) == 2


def test_every_phoneme_without_a_symbol_is_named() -> None:
    events = [
        SpeechEvent("phoneme", 10 * place, phoneme, place)
        for place, phoneme in ((1, "b"), (1, "ɔ̃"), (5, "t"), (9, "ʘ"))
    ]
    with pytest.raises(FrontendError, match=r"speaks 'ɔ̃', 'ʘ' in 'bon', 'ʘ!', for which"):
        segments(events, "bon the ʘ! no")


def test_boundaries_are_rounded_and_the_last_is_the_end() -> None:
    parts = [Segment(("p",), 264), Segment(("iː",), 1023), Segment(("k",), 1400)]
    # 1023/256 = 3.996 -> 4, 1400/256 = 5.47 -> 5; what comes before the first is the first's
    assert frames_of(parts, 2600, 256, 10) == [4, 1, 5]


def test_a_stress_mark_takes_the_first_frame_of_a_vowel_of_two() -> None:
    parts = [Segment(("ˈ", "iː"), 0), Segment(("ˌ", "ɪ"), 512), Segment(("t",), 768)]
    assert frames_of(parts, 1024, 256, 4) == [1, 1, 0, 1, 1]


def test_the_sounds_of_one_segment_share_it() -> None:
    parts = [Segment(("ˈ", "aɪ", "ɚ"), 0), Segment((".",), 2560)]
    assert frames_of(parts, 2816, 256, 11) == [1, 4, 5, 1]


def test_a_phoneme_may_have_no_frame_and_keeps_its_place() -> None:
    parts = [Segment(("l",), 0), Segment(("ə",), 2500), Segment((".",), 2500)]
    assert frames_of(parts, 2600, 256, 10) == [10, 0, 0]


@given(
    starts=st.lists(st.integers(0, 9999), min_size=1, max_size=12),
    hop=st.sampled_from([1, 100, 256]),
    stressed=st.booleans(),
)
@example(starts=[9999, 9999], hop=256, stressed=True)
def test_frames_are_never_negative_and_sum_to_the_mel(
    starts: list[int], hop: int, stressed: bool
) -> None:
    symbols = ("ˈ", "aɪ", "ɚ") if stressed else ("t",)
    parts = [Segment(symbols, start) for start in sorted(starts)]
    frames = frames_of(parts, 10000, hop, 10000 // hop)
    assert len(frames) == len(symbols) * len(parts)
    assert min(frames) >= 0
    assert sum(frames) == 10000 // hop
