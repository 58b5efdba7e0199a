"""The sentences of the corpus: distinct, short enough, varied, and of two parts for good."""

from __future__ import annotations

import re
from importlib.resources import files

from kokoro_plugins.hibari.sentences import make_sentences, sentences_of


def test_utterances_are_distinct_and_of_a_speakable_length() -> None:
    texts = make_sentences(2400)
    assert len(set(texts)) == 2400
    assert all(20 <= len(each) <= 140 for each in texts)
    assert all("|" not in each and each.isprintable() for each in texts)
    words = {word.lower() for each in texts for word in re.findall(r"[A-Za-z']+", each)}
    assert len(words) > 7000
    assert set(";:—…()“”?!") <= set("".join(texts))


def test_a_seed_decides_and_more_begin_as_fewer() -> None:
    assert make_sentences(10, 1) == make_sentences(30, 1)[:10]
    assert make_sentences(10, 1) != make_sentences(10, 2)


def test_what_is_for_reporting_has_no_sentence_that_is_trained_on() -> None:
    training, reporting = sentences_of("training"), sentences_of("reporting")
    assert not set(training) & set(reporting)
    assert len(training) + len(reporting) > 7000
    assert len(reporting) > 800
    told = "\n".join(make_sentences(200, part="reporting"))
    assert not [each for each in training if each in told]
    assert sum(each in told for each in reporting) > 100


def test_the_license_of_the_sentences_lies_beside_them() -> None:
    license_text = (files("kokoro_plugins.hibari") / "WORDNET_LICENSE.txt").read_text("utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in license_text


def test_what_is_held_out_has_no_sentence_that_is_trained_on_up_to_three_thousand() -> None:
    texts = make_sentences(3000)
    found = "\n".join(texts)
    long = [each.rstrip(".") for each in sentences_of("training") if len(each) > 60]
    assert {found.count(each) for each in long} == {0, 1}
