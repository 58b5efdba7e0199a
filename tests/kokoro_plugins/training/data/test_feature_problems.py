"""Features that do not fit are told before the first step, all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from kokoro_core import ModelSpec
from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.features import Feature
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.feature_statistics import Moments, add_features, feature_advice
from tests.kokoro_plugins.training.conftest import ListCorpus, make_utterance

FEATURES = {
    "speaker": Feature(kind="index"),
    "mood": Feature(kind="index", width=3),
    "pitch": Feature(per="frame"),
    "tone": Feature(per="phoneme", width=2),
}
FITTING: dict[str, Any] = {
    "speaker": "anna",
    "mood": 2,
    "pitch": torch.zeros(5),
    "tone": torch.zeros(2, 2),
}


class Voiceless(Mapping[str, Any]):
    """Features of which one cannot be made."""

    def __getitem__(self, name: str) -> Any:
        if name == "pitch":
            raise CorpusError("`b` has a recording without a voiced frame; leave it out.")
        return FITTING[name]

    def __iter__(self) -> Iterator[str]:
        return iter(FITTING)

    def __len__(self) -> int:
        return len(FITTING)


def read(features: Mapping[str, Any], **options: Any) -> AlignedSpeech:
    first, second = (make_utterance(name, [2, 3]) for name in "ab")
    rows = [replace(first, features=FITTING), replace(second, features=features)]
    names = {"speaker": ("anna", "ben")}
    return AlignedSpeech(
        corpus=ListCorpus(rows),
        audio=AudioSettings(),
        pad_id=0,
        holdout=0,
        features=FEATURES,
        names=names,
        **options,
    )


def test_features_that_fit_are_in_the_batches() -> None:
    [batch] = read({**FITTING, "speaker": "ben"}).train_dataloader()
    assert sorted(batch.extras["speaker"]) == ["anna", "ben"]
    assert batch.extras["mood"].tolist() == [2, 2]


@pytest.mark.parametrize(
    "changed",
    [{"speaker": "anna"}, {"mood": 1}, {"pitch": torch.ones(5)}, {"tone": torch.ones(2, 2)}],
)
def test_the_fingerprint_sees_the_features_that_are_trained_on(changed: dict[str, Any]) -> None:
    features = {**FITTING, "speaker": "ben"}
    before = read(features).fingerprint
    assert read({**features, "unread": 1}).fingerprint == before
    assert read({**features, **changed}).fingerprint != before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"speaker": "carl"}, r"`b` has the speaker 'carl', .* it lists anna, ben \(`speakers`\)"),
        (
            {"tone": torch.zeros(5, 2)},
            r"which must be \(2, 2\); it has one value a frame, so write `features: \{tone: ",
        ),
        ({"mood": 3}, "`b` has `mood` from 3 to 3, which must be from 0 to 2"),
        ({"mood": 0.5}, "`b` has `mood` of torch.float32, which must be torch.int64"),
        ({"pitch": torch.zeros(4)}, r"`b` has `pitch` of shape \(4,\), which must be \(5,\)"),
        ({"pitch": torch.full((5,), torch.nan)}, "`b` has `pitch` with a NaN or an infinity"),
        ({"tone": torch.zeros(2)}, r"`b` has `tone` of shape \(2,\), which must be \(2, 2\)"),
    ],
)
def test_a_feature_that_does_not_fit_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read({**FITTING, **wrong})


def test_a_feature_that_is_not_there_or_cannot_be_made_is_named() -> None:
    without = {name: each for name, each in FITTING.items() if name != "mood"}
    with pytest.raises(CorpusError, match="`b` has no feature `mood`, from which the model learns"):
        read(without)
    with pytest.raises(CorpusError, match=r"^`b` has a recording without a voiced frame"):
        read(Voiceless())


def test_an_utterance_without_durations_is_named_where_they_are_needed() -> None:
    rows = ListCorpus([replace(make_utterance("a", [2, 3]), durations=None)])
    AlignedSpeech(corpus=rows, audio=AudioSettings(), pad_id=0, holdout=0)
    with pytest.raises(CorpusError, match="`a` has no durations, and the model no `aligner`"):
        AlignedSpeech(corpus=rows, audio=AudioSettings(), pad_id=0, holdout=0, needs_durations=True)


def test_the_moments_of_features_are_those_of_all_their_numbers() -> None:
    pitch = torch.tensor([1.0, 2, 3, 4, 5])
    data = read({**FITTING, "pitch": pitch})
    wanted = torch.cat([FITTING["pitch"], pitch]).double()
    assert sorted(data.moments) == ["pitch", "tone"]
    assert data.moments["pitch"].mean == pytest.approx(float(wanted.mean()))
    assert data.moments["pitch"].std == pytest.approx(float(wanted.std(correction=0)))


def test_a_feature_that_the_spec_does_not_normalise_is_told_with_the_settings_that_do(
    small_spec: ModelSpec,
) -> None:
    moments = {"energy": Moments(), "loudness": Moments()}
    utterance = make_utterance("a", [2, 3])
    energy, near = torch.tensor([30.0, 50.0]), torch.tensor([-0.5, 0.75])
    add_features(replace(utterance, features={"energy": energy, "loudness": near}), moments)
    [said] = feature_advice(moments, small_spec)
    assert "`--set features.energy.mean=40.000 --set features.energy.std=10`" in said
