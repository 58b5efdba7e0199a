"""A corpus that gives facts is not read before training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kokoro_core.contracts import CorpusFacts, FeatureFacts, Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.features import Feature
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.sizes import Sizes
from kokoro_plugins.training.data.statistics import MELS, survey
from tests.kokoro_plugins.training.conftest import ListCorpus, make_utterance

AUDIO = AudioSettings()
FACTS = CorpusFacts(
    frames=[10] * 40,
    phonemes=[4] * 40,
    aligned=40,
    uniform=3,
    phoneme_indices=frozenset(range(1, 63)),
    mean_frame=torch.full((80,), -4.0),
    mel_mean=-4.0,
    mel_std=1.5,
    fingerprint="f" * 64,
    names={"speaker": frozenset({"Ada", "Bo"})},
    features={"pitch": FeatureFacts(100, 500.0, 2600.0, 4.0, 6.0)},
)


class KnownCorpus(ListCorpus):
    """Forty utterances that are counted as they are read, and facts about them."""

    held_out = 5

    def __init__(self, facts: CorpusFacts = FACTS) -> None:
        durations = [1, 2, 3, 4]
        made = [make_utterance(f"u{i}", durations, seed=i) for i in range(40)]
        pitch = torch.full((10,), 5.0)
        features = {"pitch": pitch, "speaker": "Ada"}
        super().__init__([replace(each, features=features) for each in made])
        self.known = facts
        self.read = 0

    def __getitem__(self, index: int) -> Utterance:
        self.read += 1
        return super().__getitem__(index)

    def facts(self) -> CorpusFacts:
        return self.known


def speech(corpus: ListCorpus, **settings) -> AlignedSpeech:
    return AlignedSpeech(**{"corpus": corpus, "audio": AUDIO, "pad_id": 0, **settings})


def test_a_few_utterances_are_looked_at_and_the_facts_say_the_rest():
    corpus = KnownCorpus()
    features = {"pitch": Feature(per="frame")}
    data = speech(corpus, vocab_size=63, features=features, needs_durations=True)
    assert corpus.read == MELS == 16
    assert data.fingerprint == "f" * 64
    assert data.uniform == 3
    assert (data.statistics.mean, data.statistics.std) == (-4.0, 1.5)
    assert data.statistics.frames == 350
    assert (len(data.training), len(data.held_out)) == (35, 5)
    assert list(data.sizes) == [(10, 4)] * 40
    assert data.moments["pitch"].mean == 5.0
    assert data.moments["pitch"].std == pytest.approx(1.0)
    assert data.settings == {"batch_frames": 2000, "holdout": 5, "seed": 0}


def test_without_facts_every_utterance_is_read_as_before():
    corpus = KnownCorpus()
    corpus.facts = lambda: None  # type: ignore[method-assign, assignment, return-value]
    speech(corpus)
    assert corpus.read == 40


@pytest.mark.parametrize(
    ("changed", "settings", "message"),
    [
        ({"aligned": 38}, {"needs_durations": True}, "2 of 40 utterances have no durations, and"),
        ({"phoneme_indices": frozenset({0, 5})}, {}, "has the phoneme index 0, which means padd"),
        ({"phoneme_indices": frozenset({70})}, {"vocab_size": 63}, "index 70, but those of the"),
        (
            {},
            {
                "features": {"speaker": Feature(per="row", kind="index")},
                "names": {"speaker": ["Ada"]},
            },
            r"The corpus has the speaker 'Bo', which the spec does not list; it lists Ada \(`spea",
        ),
        (
            {"features": {"pitch": FeatureFacts(9, 0.0, 0.0, 0.0, 7.0)}},
            {"features": {"pitch": Feature(per="frame", kind="index", width=5)}},
            "The corpus has `pitch` from 0 to 7, which must be from 0 to 4",
        ),
        ({"frames": [10] * 39 + [11]}, {}, None),
        ({"frames": [11] * 40}, {}, "`u0` has 10 frames and 4 phonemes, but its corpus says 11"),
    ],
    ids=["durations", "padding", "vocabulary", "name", "index", "unseen", "length"],
)
def test_facts_that_do_not_fit_the_model_or_the_corpus_are_said(changed, settings, message):
    corpus = KnownCorpus(replace(FACTS, **changed))
    if message is None:  # what is not among the utterances that are looked at is believed
        assert speech(corpus, **settings).sizes[39] == (11, 4)
        return
    with pytest.raises(CorpusError, match=message):
        speech(corpus, **settings)


def test_the_form_of_a_feature_is_seen_in_the_utterances_that_are_looked_at():
    with pytest.raises(
        CorpusError, match=r"`u0` has `pitch` of shape \(10,\), which must be \(4,\)"
    ):
        speech(KnownCorpus(), features={"pitch": Feature(per="phoneme")})


def test_files_are_read_some_at_once_if_the_corpus_says_so_and_the_settings_say_it_too():
    files = [i % 4 for i in range(40)]
    data = speech(KnownCorpus(replace(FACTS, files=files, files_at_once=2)), batch_frames=64)
    assert data.settings == {"batch_frames": 64, "holdout": 5, "seed": 0, "files": 2}
    epoch = [{files[index] for index in batch} for batch in data.order.epoch(0)]
    half = {file for batch in epoch[: len(epoch) // 2] for file in batch}
    assert len(half) == 2


def test_the_survey_of_facts_holds_texts_without_mels():
    corpus = KnownCorpus()
    found = survey(corpus, lambda each: [], num_training=35)
    assert len(found.texts) == len(found.mels) == 16
    assert all(not len(each.mel) for each in found.texts)


def test_sizes_are_pairs_in_two_columns():
    sizes = Sizes.of([(3, 1), (5, 9), (4, 2)])
    assert list(sizes) == [(3, 1), (5, 9), (4, 2)]
    assert sizes[-1] == (4, 2)
    assert sizes.most == (5, 9)
    assert list(sizes[1:]) == [(5, 9), (4, 2)]
    assert Sizes.of([]).most == (0, 0)
    assert all(type(each) is int for pair in sizes for each in pair)
